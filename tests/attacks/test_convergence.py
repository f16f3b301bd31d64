"""How a search ended, read off paths whose answer can be seen."""

import pytest
import torch

from metarobust.attacks.convergence import UNKNOWN, convergence

HELD, LOST = torch.tensor([-1.0]), torch.tensor([1.0])


def path(*losses):
    return torch.tensor(losses).unsqueeze(1)


def test_a_climb_that_ends_early_has_no_late_improvement():
    flat = path(0.0, *[1.0] * 20)
    assert convergence(flat, HELD, wrong=5.0).late_improvement == 0


def test_a_straight_climb_of_twenty_steps_makes_half_of_it_in_the_last_ten():
    straight = torch.arange(21.0).unsqueeze(1)
    assert convergence(straight, HELD, wrong=99.0).late_improvement == pytest.approx(0.5)
    # Ten steps: the last five of them count.
    assert convergence(straight[:11], HELD, wrong=99.0).late_improvement == pytest.approx(0.5)


def test_another_restart_that_had_arrived_already_counts():
    late = [0.0, 0.0, 0.0, 4.0]
    soon = [4.0, 4.0, 4.0, 4.0]
    both = path(0.0, *late, *soon)
    assert convergence(both, HELD, restarts=2, wrong=9.0).late_improvement == 0
    assert convergence(path(0.0, *late), HELD, wrong=9.0).late_improvement == 1


def test_queries_that_were_lost_do_not_count():
    straight = torch.arange(21.0).unsqueeze(1)
    two = torch.cat([straight, path(0.0, *[1.0] * 20)], dim=1)
    found = convergence(two, torch.tensor([1.0, -1.0]), wrong=0.5)
    assert found.late_improvement == 0


def test_restarts_that_end_apart():
    both = path(0.0, *[1.0] * 4, *[0.25] * 4)
    assert convergence(both, HELD, restarts=2, wrong=9.0).restart_spread == pytest.approx(0.75)
    assert convergence(both, HELD, restarts=1, wrong=9.0).restart_spread == UNKNOWN


def test_a_success_on_the_way_that_did_not_come_back():
    visited = path(-1.0, 0.5, -0.5, -0.5, -0.5)
    assert convergence(visited, HELD, wrong=0.0).silent_success == 1
    assert convergence(visited, LOST, wrong=0.0).silent_success == 0
    assert convergence(visited - 1, HELD, wrong=0.0).silent_success == 0


@pytest.mark.parametrize("steps", [0, 1, 2, 3])
def test_short_paths_do_not_tell(steps):
    short = path(*range(steps + 1)).float()
    assert convergence(short, HELD, wrong=99.0).late_improvement == UNKNOWN


def test_a_whole_set_of_queries_tells_of_no_silent_success():
    straight = torch.arange(21.0).unsqueeze(1)
    found = convergence(straight, torch.tensor([3.5]), wrong=None)
    assert found.silent_success == UNKNOWN
    assert found.late_improvement == pytest.approx(0.5)


def test_a_path_that_goes_nowhere_divides_nothing_by_nothing():
    still = torch.zeros(21, 3)
    found = convergence(still, -torch.ones(3), restarts=2, wrong=0.5)
    assert found.late_improvement == found.silent_success == found.restart_spread == 0
