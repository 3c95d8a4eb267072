import { conformance } from './conformance/suite.js';
import { swiftTarget } from './targets.js';

conformance(swiftTarget);
