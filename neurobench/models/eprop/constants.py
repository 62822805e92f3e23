"""From the recipe's milliseconds and rates to the kernels' numbers a step."""

from __future__ import annotations

import math

from neurobench.kernels.eprop.records import SURROGATES, Constants
from neurobench.models.eprop.spec import BSSHSLM, EpropRSNN


def constants(recipe: EpropRSNN, inputs: int, classes: int) -> Constants:
    """NEST's propagators, exp(-dt / tau) with dt = 1 ms. The order of operations of c_reg is the tutorial's."""
    adapts = recipe.neuron.endswith("_adapt")
    return Constants(
        T=recipe.steps,
        W=recipe.window,
        inputs=inputs,
        N=recipe.hidden,
        K=classes,
        alpha=math.exp(-1.0 / recipe.tau_m),
        alpha_out=math.exp(-1.0 / recipe.tau_out),
        v_th=float(recipe.v_th),
        v_min=-math.inf if recipe.v_min is None else float(recipe.v_min),
        refractory=recipe.t_ref,
        hard_reset=recipe.neuron.startswith("psc_delta"),
        v_reset=float(recipe.v_reset),
        refractory_input=recipe.refractory_input,
        tau_m=float(recipe.tau_m),
        adapt_beta=float(recipe.adapt_beta) if adapts else 0.0,
        rho=math.exp(-1.0 / recipe.adapt_tau) if adapts else 0.0,
        surrogate=SURROGATES.index(recipe.surrogate),
        height=float(recipe.surrogate_height),
        width=float(recipe.surrogate_width),
        kappa=float(recipe.kappa),
        kappa_reg=float(recipe.kappa_reg),
        c_reg=recipe.c_reg / recipe.steps / scale(recipe) ** 2,
        f_target=recipe.f_target / 1000.0,
        cutoff=recipe.cutoff,
        w_min=float(recipe.w_min),
        w_max=float(recipe.w_max),
        each_step=recipe.each_step,
        adam=recipe.optimizer == "adam",
        beta_1=float(recipe.beta_1),
        beta_2=float(recipe.beta_2),
        epsilon=float(recipe.epsilon),
        batch=recipe.batch,
    )


def scale(recipe: EpropRSNN) -> float:
    """The factor (1 - kappa) that NEST's traces lack, in floating point: 0.010000000000000009, not 0.01. Those of
    iaf_bsshslm_2020 have it."""
    return 1.0 if recipe.neuron == BSSHSLM else 1.0 - recipe.kappa


def eta(recipe: EpropRSNN) -> float:
    return recipe.lr * scale(recipe) ** 2 if recipe.optimizer == "gradient_descent" else float(recipe.lr)
