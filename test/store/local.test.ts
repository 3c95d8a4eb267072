import { conformance } from './conformance/suite.js';
import { localTarget } from './targets.js';

conformance(localTarget);
