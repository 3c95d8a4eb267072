import tseslint from 'typescript-eslint';

/**
 * The house: a folder may import from floors below its own, never from above and never from
 * another room of the same floor (docs/architecture.md draws it).
 */
const FLOORS = {
  cli: 8,
  daemon: 7,
  fuse: 6,
  tree: 5,
  migrate: 5,
  catalog: 4,
  blobs: 3,
  registry: 2,
  store: 1,
  oci: 1,
  config: 0,
  observe: 0,
};

const rooms = Object.keys(FLOORS);

/** One rule block per room, naming the rooms it may not import. */
const importDirection = rooms.map((room) => {
  const forbidden = rooms.filter((other) => other !== room && FLOORS[other] >= FLOORS[room]);
  return {
    files: [`src/${room}/**/*.ts`],
    ignores: ['**/*.test.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: `^(\\.\\./)+(${forbidden.join('|')})/`,
              message: `src/${room} is on floor ${FLOORS[room]}: imports only go down (docs/architecture.md).`,
            },
          ],
        },
      ],
    },
  };
});

export default tseslint.config(
  { ignores: ['dist', 'node_modules', 'test/fixtures'] },
  ...tseslint.configs.strictTypeChecked,
  ...tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
    },
  },
  ...importDirection,
  { files: ['**/*.js', '**/*.mjs'], ...tseslint.configs.disableTypeChecked },
  // CommonJS, since Node loads that sooner.
  { files: ['bin/*.js'], rules: { '@typescript-eslint/no-require-imports': 'off' } },
);
