"""Learners of regressions against closed forms, in float64."""

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from sklearn.linear_model import Ridge as SklearnRidge

from metarobust.backbones.identity import Identity
from metarobust.backbones.mlp import MLP
from metarobust.core.errors import ConfigError
from metarobust.learners.anil import ANIL
from metarobust.learners.maml import MAML
from metarobust.learners.mamlpp import MAMLPlusPlus
from metarobust.learners.metasgd import MetaSGD
from metarobust.learners.neural_process import LEAST_DEVIATION, NeuralProcess, gaussian_nll
from metarobust.learners.ridge import Ridge


def made(learner):
    """The learner in float64, its zero-initialised head moved."""
    for name, parameter in learner.named_parameters():
        if name.startswith("head"):
            torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(2))
    return learner.double().eval()


@pytest.fixture
def task():
    source = torch.Generator().manual_seed(5)
    x, query_x = torch.rand(2, 7, 3, generator=source, dtype=torch.float64)
    y, query_y = torch.randn(2, 7, generator=source, dtype=torch.float64)
    return x, y, query_x, query_y


def process(**options):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return NeuralProcess(Identity((3,)), width=16, **options).double().eval()


@pytest.mark.parametrize("penalty", [0.01, 3.0])
def test_ridge_is_scikit_learns_with_an_intercept(task, penalty):
    x, y, query_x, _ = task
    learner = made(Ridge(Identity((3,)), penalty=penalty))
    fitted = SklearnRidge(learner.log_penalty.exp().item()).fit(x.numpy(), y.numpy())
    means = learner.adapt(x, y, ways=1)(query_x)[:, 0]
    np.testing.assert_allclose(means.detach(), fitted.predict(query_x.numpy()), rtol=1e-10)


def test_ridge_on_noisy_lines_errs_as_least_squares_does():
    # E (y - y^)^2 = s^2 (1 + 1/n + (x* - mean)^2 / Sxx) for a line through n noisy points.
    rng, deviation = np.random.default_rng(0), 0.3
    learner, ratios = made(Ridge(Identity((1,)), penalty=1e-9)), []
    for _ in range(1500):
        x, query = rng.uniform(size=8), rng.uniform(size=1)
        slope, intercept = rng.uniform(-2, 2, 2)
        y = slope * x + intercept + rng.normal(0, deviation, 8)
        target = slope * query + intercept + rng.normal(0, deviation)
        with torch.no_grad():
            predict = learner.adapt(torch.tensor(x[:, None]), torch.tensor(y), ways=1)
            error = float(predict(torch.tensor(query[:, None]))[0, 0]) - target[0]
        spread = ((x - x.mean()) ** 2).sum()
        expected = deviation**2 * (1 + 1 / 8 + (query[0] - x.mean()) ** 2 / spread)
        ratios.append(error**2 / expected)
    # Squares of standard normals: mean 1, variance 2.
    assert np.mean(ratios) == pytest.approx(1, abs=4 * np.sqrt(2 / len(ratios)))


@pytest.mark.parametrize("cls", [MAML, ANIL])
def test_inner_steps_are_those_of_linear_regression(task, cls):
    x, y, query_x, _ = (part.numpy() for part in task)
    learner = made(cls(Identity((3,)), ways=1, inner_steps=3, inner_rate=0.05))
    weight = learner.head.weight.detach().numpy()[0].copy()
    bias = float(learner.head.bias.detach())
    for _ in range(3):
        residual = x @ weight + bias - y
        weight = weight - 0.05 * 2 * x.T @ residual / len(y)
        bias = bias - 0.05 * 2 * residual.mean()
    means = learner.adapt(*(torch.tensor(part) for part in (x, y)), ways=1)(torch.tensor(query_x))
    np.testing.assert_allclose(means[:, 0].detach(), query_x @ weight + bias, rtol=1e-10)


@pytest.mark.parametrize("cls", [MAML, ANIL, MetaSGD, MAMLPlusPlus])
def test_the_outer_loss_is_the_squared_error_after_adaptation(task, cls):
    options = {"multi_step": 0.0} if cls is MAMLPlusPlus else {}
    learner = made(cls(MLP((3,), width=8, depth=1, normalised=False), ways=1, **options))
    x, y, query_x, query_y = task
    means = learner.adapt(x, y, ways=1)(query_x)[:, 0]
    loss = learner.meta_loss(x, y, query_x, query_y, ways=1)
    torch.testing.assert_close(loss, (means - query_y).square().mean())


def test_poisoning_through_adaptation_is_differentiable(task):
    x, y, query_x, query_y = task
    for learner in (
        made(MAML(MLP((3,), width=8, depth=1, normalised=False), ways=1)),
        made(Ridge(Identity((3,)))),
        process(task="regression"),
    ):

        def loss(support_x, learner=learner):
            return learner.meta_loss(support_x, y, query_x, query_y, ways=1)

        assert torch.autograd.gradcheck(loss, x.clone().requires_grad_(), atol=1e-8, rtol=1e-4)


def test_an_input_range_is_an_affine_map_before_the_first_layer(task):
    mapped, plain = (
        MLP((3,), width=8, depth=2, normalised=False, **options).double()
        for options in ({"input_range": [-5, 5]}, {})
    )
    plain.load_state_dict(mapped.state_dict())
    x = task[0]
    torch.testing.assert_close(mapped(x, None), plain(-5 + 10 * x, None))
    with pytest.raises(ConfigError, match="input_range: expected two numbers"):
        MLP((3,), input_range=[1.0])


class TestNeuralProcess:
    def test_its_density_integrates_to_one(self, task):
        x, y, query_x, _ = task
        outputs = process(task="regression").adapt(x, y, ways=1)(query_x).detach()
        assert (outputs[:, 1] > LEAST_DEVIATION).all()
        for row in outputs:
            mean, deviation = row.tolist()

            def density(value, row=row):
                point = torch.tensor([value], dtype=torch.float64)
                return float(torch.exp(-gaussian_nll(row[None], point)))

            area, _ = quad(density, mean - 12 * deviation, mean + 12 * deviation)
            assert area == pytest.approx(1, abs=1e-6)

    def test_its_loss_is_the_negative_log_likelihood(self, task):
        x, y, query_x, query_y = task
        learner = process(task="regression")
        mean, deviation = learner.adapt(x, y, ways=1)(query_x).unbind(1)
        expected = -torch.distributions.Normal(mean, deviation).log_prob(query_y).mean()
        loss = learner.meta_loss(x, y, query_x, query_y, ways=1)
        torch.testing.assert_close(loss, expected)

    def test_neither_order_nor_repetition_of_the_support_set_matters(self, task):
        x, y, query_x, _ = task
        learner, order = process(task="regression"), torch.tensor([3, 1, 0, 2, 6, 5, 4])
        expected = learner.adapt(x, y, ways=1)(query_x)
        for rows in (order, torch.cat([order, order])):
            again = learner.adapt(x[rows], y[rows], ways=1)(query_x)
            torch.testing.assert_close(again, expected)

    def test_logits_follow_the_classes_when_they_are_renamed(self, task):
        x, _, query_x, _ = task
        labels, names = torch.tensor([0, 1, 2, 0, 1, 2, 0]), torch.tensor([2, 0, 1])
        learner = process()
        logits = learner.adapt(x, labels, ways=3)(query_x)
        renamed = learner.adapt(x, names[labels], ways=3)(query_x)
        torch.testing.assert_close(renamed[:, names], logits)

    def test_it_says_what_it_can_do(self):
        assert process().tasks == {"classification"}
        assert process(task="regression").tasks == {"regression"}
        with pytest.raises(ConfigError, match="classification, regression, got 'both'"):
            process(task="both")
