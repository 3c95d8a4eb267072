import { conformance } from './conformance/suite.js';
import { radosgwTarget } from './targets.js';

conformance(radosgwTarget);
