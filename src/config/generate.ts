import { readFileSync, writeFileSync } from 'node:fs';
import { configSchemaText } from './describe.ts';
import { withGenerated } from './document.ts';

/** Writes config/schema.json and the tables of docs/configuration.md from the schema. Run by `npm run config:generate`. */
const schemaFile = new URL('../../config/schema.json', import.meta.url);
const documentFile = new URL('../../docs/configuration.md', import.meta.url);

writeFileSync(schemaFile, configSchemaText());
writeFileSync(documentFile, withGenerated(readFileSync(documentFile, 'utf8')));
