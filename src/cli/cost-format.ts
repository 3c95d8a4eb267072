import { requestCount, type Requests } from '../migrate/run/requests.js';
import { count } from './report-section.js';

/** Dollars for people. Cents are too coarse for most buckets. */
export function formatDollars(amount: number): string {
  if (amount === 0) return '$0';
  if (amount < 0.0001) return 'less than $0.0001';
  return `$${amount.toFixed(amount < 1 ? 4 : 2)}`;
}

/** How many requests, and of which kinds. */
export function describeRequests(requests: Requests): string {
  const { list, put, get, delete: deletes } = requests;
  return (
    `${count(requestCount(requests), 'request', 'requests')} (${list} LIST, ${put} PUT or COPY, ` +
    `${get} GET or HEAD, ${deletes} DELETE)`
  );
}
