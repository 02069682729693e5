"""Functions of whole arrays, by hand and by what they must satisfy."""

import numpy as np
import pytest

from pysd_runner.core.errors import InvalidModel, SimulationFailed
from pysd_runner.engine.ir import ArrayFunction, Number, Reference
from pysd_runner.engine.numpy.array_functions import (
    FUNCTIONS,
    allocate_available,
    allocate_by_priority,
    invert_matrix,
    vector_rank,
    vector_reorder,
    vector_sort_order,
)
from pysd_runner.model import load_model
from pysd_runner.simulation import simulate
from tests.engine.small_models import FEATURES, write_model


def test_one_matrix_without_an_inverse_does_not_spoil_the_others():
    matrices = np.array([[[2.0, 0.0], [0.0, 4.0]], [[1.0, 1.0], [1.0, 1.0]]])
    found = invert_matrix(matrices)
    np.testing.assert_array_equal(found[0], [[0.5, 0], [0, 0.25]])
    assert np.isnan(found[1]).all()


def test_sorting_counts_from_zero_and_ranks_from_one():
    vector, up, down = np.array([[3.0, 1.0, 2.0]]), np.array([1.0]), np.array([0.0])
    assert vector_sort_order(vector, up).tolist() == [[1, 2, 0]]
    assert vector_sort_order(vector, down).tolist() == [[0, 2, 1]]
    assert vector_rank(vector, up).tolist() == [[3, 1, 2]]
    assert vector_rank(vector, down).tolist() == [[1, 3, 2]]
    assert vector_reorder(vector, np.array([[2.0, 0.0, 5.0]]))[0, :2].tolist() == [2, 3]
    assert np.isnan(vector_reorder(vector, np.array([[2.0, 0.0, 5.0]]))[0, 2])


def test_an_allocation_by_priority_worked_by_hand():
    # Priorities 10, 9, 7, 2 and width 3: the second starts when the first has 1 of its 3, both grow as 3 to 6, ...
    request, priority = np.array([3.0, 6.0, 2.5, 2.0]), np.array([10.0, 9.0, 7.0, 2.0])
    width = np.array(3.0)
    for supply, expected in [(1.0, [1, 0, 0, 0]), (2.5, [1.5, 1, 0, 0]), (20.0, [3, 6, 2.5, 2]), (0.0, [0, 0, 0, 0])]:
        found = allocate_by_priority(request, priority, width, np.array(supply))
        np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("kind", [1, 2, 3, 4])
def test_an_allocation_shares_out_what_there_is(kind):
    rng = np.random.default_rng(kind)
    request = rng.uniform(0.1, 3, (50, 4))
    profile = np.stack(
        [np.full((50, 4), float(kind)), rng.uniform(0, 4, (50, 4)), rng.uniform(0.5, 2, (50, 4)), np.zeros((50, 4))],
        axis=-1,
    )
    supply = rng.uniform(0, 1.2, 50) * request.sum(axis=-1)
    found = allocate_available(request, profile, supply)
    np.testing.assert_allclose(found.sum(axis=-1), np.minimum(supply, request.sum(axis=-1)), rtol=1e-12)
    assert (found >= 0).all()
    assert (found <= request * (1 + 1e-12)).all()


def test_an_allocation_that_makes_no_sense_is_no_number():
    width, supply = np.array(1.0), np.array(1.0)
    assert np.isnan(allocate_by_priority(np.array([-1.0, 3.0]), np.zeros(2), width, supply)).all()
    assert np.isnan(allocate_by_priority(np.array([1.0, 3.0]), np.zeros(2), np.array(0.0), supply)).all()
    assert np.isnan(allocate_by_priority(np.array([1.0, 3.0]), np.zeros(2), width, np.array(-1.0))).all()
    profile = np.array([[5.0, 1.0, 1.0, 0.0]] * 2)
    assert np.isnan(allocate_available(np.array([1.0, 3.0]), profile, supply)).all()


def test_fixed_requests_are_served_first_and_in_proportion():
    profile = np.array([[0.0, 1.0, 1.0, 0.0], [0.0, 9.0, 1.0, 0.0], [1.0, 5.0, 1.0, 0.0]])
    request = np.array([200.0, 300.0, 40.0])
    for supply, expected in [(100.0, [40, 60, 0]), (510.0, [200, 300, 10]), (600.0, [200, 300, 40])]:
        np.testing.assert_allclose(allocate_available(request, profile, np.array(supply)), expected, rtol=1e-12)


def test_where_there_is_enough_for_all_curves_do_not_matter():
    profile = np.array([[5.0, 1.0, 0.0, 0.0]] * 2)
    assert allocate_available(np.array([1.0, 3.0]), profile, np.array(4.0)).tolist() == [1, 3]


def test_an_array_function_stands_alone_over_plain_arguments(tmp_path):
    found = set()
    for feature in ("arrays", "allocation"):
        for variable in load_model(write_model(tmp_path, FEATURES[feature])).ir.variables.values():
            for block in variable.blocks:
                if isinstance(block.expression, ArrayFunction):
                    found.add(block.expression.name)
                    assert all(isinstance(part, Number | Reference) for part in block.expression.arguments)
    assert found == set(FUNCTIONS)


def test_array_functions_run_over_scenarios_and_draws(tmp_path):
    equations = (
        "R: A, B ~~|\nP: R ~~|\nk = 1 ~~|\nm[R,P] = IF THEN ELSE(R = P, k + R, 0.5) ~~|\n"
        "i[R,P] = INVERT MATRIX(m[R,P], 2) ~~|\ntotal = SUM(i[R!,P!]) ~~|"
    )
    model = load_model(write_model(tmp_path, equations, final=1))
    ks = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    found = simulate(model, {"k": ks})["total"][..., 0]
    expected = [[np.linalg.inv([[k + 1, 0.5], [0.5, k + 2]]).sum() for k in row] for row in ks]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_a_selection_that_must_not_happen_fails_the_run(tmp_path):
    equations = (
        "R: A, B ~~|\np[R] = 1, 0 ~~|\none = VECTOR SELECT(p[R!], 3*p[R!], 0, 0, 3) ~~|\nflag = 1 ~~|\n"
        "q[R] = p[R]*flag ~~|\nnone = VECTOR SELECT(q[R!], p[R!], 0, 0, 1) ~~|"
    )
    model = load_model(write_model(tmp_path, equations, final=1))
    run = simulate(model)
    assert run["one"][0, 0, 0] == 3
    with pytest.raises(SimulationFailed, match="none became nan"):
        simulate(model, {"flag": 0.0})


def test_a_profile_without_its_four_numbers_is_named(tmp_path):
    equations = (
        "R: A, B ~~|\nL: p, q ~~|\nask[R] = 1, 2 ~~|\npp[R,L] = 1, 2; 3, 4; ~~|\n"
        "got[R] = ALLOCATE AVAILABLE(ask[R], pp[R,p], 1) ~~|"
    )
    with pytest.raises(InvalidModel, match="range of four numbers"):
        load_model(write_model(tmp_path, equations))
