# Everything that `regrow run` needs with the host engine. The builder needs user namespaces: see docs/operations.md.
FROM node:22-bookworm-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends python3 make g++ && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY . .
RUN npm run build && npm prune --omit=dev

FROM node:22-bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends bubblewrap ca-certificates gcc git libc6-dev make musl-tools patch redis-server xz-utils \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY config ./config
COPY package.json LICENSE README.md ./
# The image of Node has a user with the id 1000; volumes that are mounted here the first time belong to it.
RUN mkdir -p /var/lib/regrow /srv/regrow/objects && chown 1000:1000 /var/lib/regrow /srv/regrow/objects
RUN ln -s /app/dist/main.js /usr/local/bin/regrow
USER 1000:1000
ENV REGROW_CONFIG=/etc/regrow/config.yaml
VOLUME /var/lib/regrow
VOLUME /srv/regrow/objects
ENTRYPOINT ["node", "/app/dist/main.js"]
CMD ["run", "--config", "/etc/regrow/config.yaml"]
