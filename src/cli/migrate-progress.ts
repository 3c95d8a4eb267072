import type { Stage } from '../migrate/session.js';
import { ByteProgress } from './progress-bar.js';

/** One line about how far a run is. */
export function describeStage(
  stage: Stage,
  total: { readonly digests: number; readonly bytes: number },
  since: number,
  columns: number | undefined,
): string {
  switch (stage.stage) {
    case 'listing':
      return `${stage.keys} keys listed`;
    case 'reading':
      return `${stage.documents} documents read`;
    case 'moving': {
      const { digests, bytes } = stage;
      const blobs = `${digests} of ${total.digests} blobs  `;
      if (total.bytes === 0) return blobs.trimEnd();
      const progress = new ByteProgress(total.bytes, since);
      progress.add(bytes);
      return blobs + progress.line((columns ?? 80) - blobs.length);
    }
  }
}
