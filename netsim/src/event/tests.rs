//! Order and cancellation of events.

use super::*;

#[test]
fn events_come_by_time_then_by_insertion_and_cancelled_ones_never() {
    let mut queue = Queue::default();
    queue.push(Instant(5), 'c');
    queue.push(Instant(1), 'a');
    let gone = queue.push(Instant(1), 'x');
    queue.push(Instant(1), 'b');
    queue.cancel(gone);
    assert_eq!(queue.peek().map(|next| next.0), Some(Instant(1)));
    let order: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
    assert_eq!(order, [(Instant(1), 'a'), (Instant(1), 'b'), (Instant(5), 'c')]);
    let last = queue.push(Instant(9), 'z');
    queue.cancel(last);
    assert_eq!(queue.peek(), None, "what was cancelled is not waited for");
}
