use crate::progress::Phase::{Done, Running, Waiting};
use crate::progress::Progress;

#[test]
fn a_job_moves_with_each_look() {
    let mut job = Progress::new(0, false);
    assert_eq!([job.look(0), job.look(0), job.look(0)], [Waiting, Running, Done]);
}

#[test]
fn an_instant_job_is_done_at_the_first_look() {
    assert_eq!(Progress::new(0, true).look(0), Done);
    assert_eq!(Progress::new(0, true).peek(), Done);
}

#[test]
fn a_late_job_waits_the_looks_it_was_told() {
    let mut job = Progress::new(2, true);
    assert_eq!([job.look(0), job.look(0), job.look(0)], [Waiting, Waiting, Done]);
}

#[test]
fn what_one_window_showed_the_other_does_not_take_back() {
    let mut job = Progress::new(0, false);
    assert_eq!([job.look(0), job.look(1), job.look(0), job.look(1)], [Waiting, Waiting, Running, Running]);
    assert_eq!([job.look(1), job.look(0)], [Done, Done]);
}
