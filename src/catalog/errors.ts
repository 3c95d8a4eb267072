/** A repository's documents are broken in a way that no reader could use. */
export class CatalogError extends Error {
  override readonly name = 'CatalogError';
}
