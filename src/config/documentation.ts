import { environmentName, optionKey } from './option-name.js';
import { type OptionName, type OptionScope, optionNames, optionNote } from './options.js';

const SCOPES: Readonly<Record<OptionScope, string>> = {
  every: 'Every command',
  source: '`mount`, `ls`, `warm`, `check`, `repair`, `gc` and `doctor`',
  cache: '`mount`, `warm`, `cache` and `doctor`',
  mount: '`mount`',
};

/** The text of `docs/configuration.md`; a test fails when the file differs from it. */
export function renderConfiguration(): string {
  return `# Configuration

<!-- Generated from src/config/options.ts. After a change there:
     npx vitest run --project unit src/config/documentation.test.ts -u -->

Every option can be given in four ways. The first of them that names an option wins:

1. on the command line, as a flag (\`--refresh 10s\`) or after \`-o\` (\`-o refresh=10s,allow_other\`), as in fstab;
   a flag wins over \`-o\`;
2. in the environment (\`LAYOUTFS_REFRESH=10s\`);
3. in a YAML or JSON file named by \`--config\` (or \`LAYOUTFS_CONFIG\`);
4. else its default holds.

A switch such as \`--allow-other\` is turned off by \`--no-allow-other\` on the command line, and by \`false\` elsewhere.

- **Durations** have a unit: \`500ms\`, \`5s\`, \`2m\`, \`1h\`. **Sizes** do too: \`64MiB\`, \`1GB\`; a bare number is bytes.
- **Lists** (\`include\`, \`exclude\`): repeat the flag or the \`-o\` option; separate by spaces in the environment; write a
  list in the file. A comma cannot be written after \`-o\`.
- After \`-o\` an option may also be spelled with underscores (\`allow_other\`). Options of \`mount(8)\` and systemd
  (\`ro\`, \`nofail\`, \`_netdev\`, \`x-systemd.automount\`, …) are accepted and left to them.
- Which source to read, its endpoint and region are part of the source's URL; credentials come from where the AWS
  SDK looks for them, never from here.

${Object.keys(SCOPES)
  .map((scope) => renderScope(scope as OptionScope))
  .join('\n')}
## Example

\`\`\`yaml
# layoutfs mount --config /etc/layoutfs.yaml 's3://registry/zot?endpoint=https://s3.example.com' /mnt/registry
registry: zot
refresh: 10s
memory: 256MiB
allow-other: true
include:
  - team/**
exclude:
  - team/scratch/**
\`\`\`

The same in fstab, where the mount waits for the network:

\`\`\`
s3://registry/zot?endpoint=https://s3.example.com /mnt/registry layoutfs _netdev,allow_other,refresh=10s,include=team/** 0 0
\`\`\`
`;
}

function renderScope(scope: OptionScope): string {
  const names = optionNames.filter((name) => optionNote(name).scope === scope);
  return `## ${SCOPES[scope]}

| flag | variable | default | what it does |
|---|---|---|---|
${names.map(renderRow).join('\n')}
`;
}

function renderRow(name: OptionName): string {
  const note = optionNote(name);
  const short = note.short === undefined ? '' : `\`-${note.short}\`, `;
  const value = note.value === undefined ? '' : ` <${note.value}>`;
  const flag = `${short}\`--${optionKey(name)}${value}\``;
  const repeatable = note.repeatable === true ? ' May be repeated.' : '';
  return `| ${flag} | \`${environmentName(name)}\` | ${note.default ?? ''} | ${note.description}${repeatable} |`;
}
