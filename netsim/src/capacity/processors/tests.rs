//! Who slows whom down on a machine.

use super::*;

/// Speeds of jobs with so many threads, in order of their beginnings.
fn speeds(processors: u32, threads: &[u32]) -> Vec<f64> {
    let mut machine = Machine::new(processors);
    let job = |(node, threads): (usize, &u32)| Job {
        of: Of::Pass(node),
        rest: 1e6,
        threads: *threads,
        speed: 1.0,
    };
    machine.jobs = threads.iter().enumerate().map(job).collect();
    machine.deal();
    machine.jobs.iter().map(|job| job.speed).collect()
}

#[test]
fn nobody_waits_while_there_are_processors() {
    assert_eq!(speeds(2, &[1, 1]), [1.0, 1.0]);
    assert_eq!(speeds(8, &[4, 3]), [1.0, 1.0]);
}

#[test]
fn only_those_that_share_a_processor_are_slower() {
    assert_eq!(speeds(2, &[1, 1, 1]), [0.5, 1.0, 0.5]);
    assert_eq!(speeds(2, &[1, 1, 1, 1]), [0.5; 4]);
    assert_eq!(speeds(2, &[1; 5]), [1.0 / 3.0, 0.5, 1.0 / 3.0, 0.5, 1.0 / 3.0]);
}

#[test]
fn a_job_is_as_fast_as_its_slowest_thread() {
    // The second job's threads stand on the second processor and, beside the first job, on the first.
    assert_eq!(speeds(2, &[1, 2]), [0.5, 0.5]);
    assert_eq!(speeds(4, &[3, 2]), [0.5, 0.5]);
    assert_eq!(speeds(4, &[2, 2, 1]), [0.5, 1.0, 0.5]);
    assert_eq!(speeds(4, &[8]), [0.5]);
}

#[test]
fn what_is_left_goes_on_at_the_new_speed() {
    let mut machine = Machine::new(1);
    let job = |node| Job { of: Of::Pass(node), rest: 100.0, threads: 1, speed: 1.0 };
    machine.jobs = vec![job(0), job(1)];
    machine.deal();
    machine.advance(Instant(60));
    machine.jobs.truncate(1);
    machine.deal();
    machine.advance(Instant(90));
    assert_eq!(machine.jobs[0].rest, 40.0);
}
