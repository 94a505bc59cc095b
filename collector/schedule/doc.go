// Package schedule decides when each job runs and whose turn it is to send a
// request.
//
//   - All requests of a quota wait in one queue. Each slot goes to the most
//     overdue job that may send: the server has not paused its action, and its
//     group has fewer than its limit of requests under way. At a tie polls that
//     have begun go first. A job waits for its first turn without a goroutine.
//   - First listings, which are the first polls of plans, and other polls take
//     turns. A first listing of more than ten pages stops after its first page
//     and starts again after the others, the shortest first.
//   - Due times lie on a grid of monotonic time, at a phase that is a hash of
//     the job's key, in steps of a quarter of a second. The first poll is due at
//     once, and each next one at least half an interval after a start. After a
//     change of interval the earlier of the old due time and the next point of
//     the new grid is due.
//   - A poll serves the last due time that has passed. Due times before that,
//     and points of the grid that came too soon after a late start, are skipped
//     and counted.
//   - A job is slow from a poll that timed out or had a request of over five
//     seconds until three polls in a row had neither. Slow jobs come after first
//     listings and share half of their group's requests, rounded down; a group
//     with a limit of one sends a slow request only after as much time as the
//     last one took. A group whose jobs are all slow has no such limit.
//
// Wall clock time appears only in what people read, so a step of the clock
// changes nothing.
package schedule
