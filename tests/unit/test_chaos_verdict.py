"""The verdict on a storm: each broken promise is found, and what has a cause is excused."""

from collections.abc import Sequence
from typing import Any

from chaos.history import Line
from chaos.verdict import Books, Ended, Verdict, judge

LANE = "p1/chaos"
LEASE = 2.0


def accepted(job: str) -> list[Line]:
    nonce = f"nonce-{job}"
    answered = Line(0, "accepted", nonce=nonce, job=job, lane=LANE, how="accepted")
    return [Line(0, "offered", nonce=nonce), answered]


def attempt(job: str, begun: float, ended: float, *, pid: int = 1, how: str = "ok") -> list[Line]:
    mark = f"{job}@{begun}"
    return [
        Line(begun, "start", pid=pid, job=job, lane=LANE, run=1, attempt=1, token=mark, mark=mark),
        Line(ended, "end", pid=pid, mark=mark, how=how),
    ]


def books(*jobs: str, **changes: Any) -> Books:
    """Jobs that have succeeded, in the order of their lane."""
    found = {
        job: Ended(state="succeeded", run=1, seq=seq, lane=LANE, ended=100.0)
        for seq, job in enumerate(jobs, 1)
    }
    outcomes = [(job, 1, "succeeded") for job in jobs]
    return Books(**{"jobs": found, "outcomes": outcomes, "crashes": [], **changes})


def verdict(lines: Sequence[Line], books: Books) -> Verdict:
    return judge(sorted(lines, key=lambda line: line.at), books, lease=LEASE)


def test_a_quiet_run_is_clean() -> None:
    lines = [*accepted("a"), *accepted("b"), *attempt("a", 1, 2), *attempt("b", 3, 4)]
    found = verdict(lines, books("a", "b"))
    assert found.is_clean
    assert found.jobs == 2


def test_a_job_that_redis_forgot_is_lost() -> None:
    found = verdict([*accepted("a"), *accepted("b"), *attempt("a", 1, 2)], books("a"))
    assert len(found.lost) == 1
    assert "job b" in found.lost[0]


def test_a_success_that_no_action_saw_is_lost() -> None:
    found = verdict([*accepted("a"), *attempt("a", 1, 2, how="failed")], books("a"))
    assert len(found.lost) == 1


def test_a_run_that_ended_twice_is_found() -> None:
    told = [("a", 1, "succeeded"), ("a", 1, "dead")]
    found = verdict([*accepted("a"), *attempt("a", 1, 2)], books("a", outcomes=told))
    assert found.lost


def test_a_later_job_that_starts_first_breaks_the_order() -> None:
    lines = [*accepted("a"), *accepted("b"), *attempt("b", 1, 2), *attempt("a", 3, 4)]
    assert len(verdict(lines, books("a", "b")).order_breaks) == 1


def test_two_at_once_in_a_lane_break_the_order() -> None:
    lines = [*accepted("a"), *accepted("b"), *attempt("a", 1, 4), *attempt("b", 2, 3)]
    assert len(verdict(lines, books("a", "b")).order_breaks) == 1


def test_a_repetition_without_a_cause_is_an_unexplained_duplicate() -> None:
    lines = [*accepted("a"), *attempt("a", 1, 2), *attempt("a", 6, 7, pid=2)]
    assert len(verdict(lines, books("a")).unexplained_duplicates) == 1


def test_a_repetition_after_the_death_of_its_worker_is_explained() -> None:
    died = Line(2.5, "died", pid=1, how="-9")
    lines = [*accepted("a"), *attempt("a", 1, 2), died, *attempt("a", 6, 7, pid=2)]
    found = verdict(lines, books("a"))
    assert found.is_clean
    assert found.causes == {"duplicate: death": 1}


def test_neither_a_cut_nor_a_clean_exit_nor_another_worker_s_death_explains_one() -> None:
    mild = [
        Line(2.2, "cut", pid=1, how="after"),
        Line(2.4, "drain", pid=1),
        Line(2.5, "died", pid=1, how="0"),
        Line(2.6, "died", pid=3, how="-9"),
    ]
    lines = [*accepted("a"), *attempt("a", 1, 2), *mild, *attempt("a", 6, 7, pid=2)]
    assert len(verdict(lines, books("a")).unexplained_duplicates) == 1


def test_a_forced_exit_explains_what_it_gave_back_and_nothing_else() -> None:
    given_back = Line(4, "given back", pid=1, job="a")
    lines = [*accepted("a"), *attempt("a", 1, 2), given_back, *attempt("a", 6, 7, pid=2)]
    found = verdict(lines, books("a"))
    assert found.is_clean
    assert found.causes == {"duplicate: forced exit of a drain": 1}
    lines = [*accepted("b"), *attempt("b", 1, 2), given_back, *attempt("b", 6, 7, pid=2)]
    assert len(verdict(lines, books("b")).unexplained_duplicates) == 1


def test_a_worker_taken_for_crashed_to_which_nothing_had_happened_is_found() -> None:
    lines = [*accepted("a"), *attempt("a", 1, 2)]
    found = verdict(lines, books("a", crashes=[("a", 1, 1.0, 5.0)]))
    assert len(found.others) == 1
    away = [Line(1.5, "redis away"), Line(4.5, "redis back")]
    assert verdict([*lines, *away], books("a", crashes=[("a", 1, 1.0, 5.0)])).is_clean


def test_a_new_job_that_was_called_a_duplicate_is_found() -> None:
    lines = [
        Line(0, "offered", nonce="n"),
        Line(0, "accepted", nonce="n", job="a", lane=LANE, how="duplicate"),
        *attempt("a", 1, 2),
    ]
    assert len(verdict(lines, books("a")).others) == 1


def test_what_redis_has_lost_explains_what_was_acknowledged_just_then_and_nothing_else() -> None:
    """A restart with everysec; with always there is no such line in the history."""
    lost = Line(5.0, "writes lost", until=4.0)
    offered = [Line(3.5, "offered", nonce="n"), Line(3.8, "offered", nonce="m")]
    before = Line(3.9, "accepted", nonce="n", job="before", lane=LANE, how="accepted")
    within = Line(4.1, "accepted", nonce="m", job="within", lane=LANE, how="accepted")
    found = verdict([*offered, before, within, lost], books())
    assert [text.split()[1] for text in found.lost] == ["before"]
    assert found.causes == {"lost: writes lost": 1}


def test_an_end_that_redis_has_lost_explains_a_repetition_and_an_older_one_does_not() -> None:
    again = attempt("a", 6, 7, pid=2)
    lines = [*accepted("a"), *attempt("a", 1, 2), *again]
    assert verdict([*lines, Line(3.5, "writes lost", until=2.5)], books("a")).is_clean
    late = Line(5.5, "writes lost", until=4.5)
    assert len(verdict([*lines, late], books("a")).unexplained_duplicates) == 1


def test_starts_that_redis_has_forgotten_explain_that_an_earlier_job_starts_again() -> None:
    lost = Line(5.0, "writes lost", until=2.1)
    lines = [*accepted("a"), *accepted("b"), *attempt("a", 1, 2), *attempt("b", 3, 4)]
    again = attempt("a", 6, 7, pid=2)
    assert len(verdict([*lines, *again], books("a", "b")).order_breaks) == 1
    found = verdict([*lines, lost, *again], books("a", "b"))
    assert found.is_clean
    assert found.causes["late start: writes lost"] == 1


def test_a_kill_is_recovered_when_all_it_held_has_ended() -> None:
    begun = attempt("a", 1, 2)[:1]
    died = Line(1.5, "died", pid=1, how="-9")
    lines = [*accepted("a"), *begun, died, *attempt("a", 5, 6, pid=2)]
    found = verdict(lines, books("a"))
    assert found.is_clean
    assert found.recovered_kills == 1
