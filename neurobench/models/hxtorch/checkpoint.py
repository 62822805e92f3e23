"""What a checkpoint says about the network that it holds, and when another run may take it over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neurobench.config.errors import UserError
from neurobench.devices.mac.protocol import AnalogMac
from neurobench.models.hxtorch.layers import Layer
from neurobench.models.hxtorch.network import Network
from neurobench.models.hxtorch.spec import HXTorchMLP

FORMAT = 1
AGAIN = 0.005  # relative: so well two calibrations of one chip agree
TRANSFER = 0.05  # relative: a chip whose gain is further off rescales all logits, which training did not foresee


class Refused(UserError):
    """A checkpoint of another network, or of the same one for another device."""


def describe(net: Network, recipe: HXTorchMLP, mac: AnalogMac) -> dict[str, Any]:
    """All that makes the weights mean what they mean."""
    return {
        "format": FORMAT,
        "settings": {
            "inputs": net.first.weight.shape[1],
            "hidden": recipe.hidden,
            "classes": len(net.second.weight),
            "avg": recipe.avg,
            "shift": recipe.shift,
            "bias": recipe.bias,
            "half_lsb": recipe.half_lsb,
            "exact": recipe.exact,
        },
        "num_sends": [net.first.num_sends, net.second.num_sends],
        "gain": mac.gain,
        "noise_std": mac.noise_std,
        "chip": dict(mac.identity),
        "calibration": dict(mac.calibration),
    }


def require_same(state: Mapping[str, Any], net: Network, recipe: HXTorchMLP, mac: AnalogMac) -> None:
    """Raise Refused unless the state is one of this very setting."""
    _refuse([*_differences(state, net, recipe, mac), *_chips(state, mac), *_gains(state, mac, AGAIN)])


def require_transferable(state: Mapping[str, Any], net: Network, recipe: HXTorchMLP, mac: AnalogMac) -> None:
    """The same, except that what was learned on the linear model may go on on any chip of about its gain."""
    chips = _chips(state, mac) if state.get("chip") else []
    tolerance = AGAIN if state.get("chip") else TRANSFER
    _refuse([*_differences(state, net, recipe, mac), *chips, *_gains(state, mac, tolerance)])


def _differences(state: Mapping[str, Any], net: Network, recipe: HXTorchMLP, mac: AnalogMac) -> list[str]:
    if "settings" not in state or state.get("format") != FORMAT:
        raise Refused(f"the checkpoint is not one of hxtorch_mlp in format {FORMAT}; train one with this version.")
    here = describe(net, recipe, mac)["settings"]
    found = [
        f"{key}={state['settings'][key]} there, {here[key]} here" for key in here if state["settings"][key] != here[key]
    ]
    for number, (there, asked) in enumerate(zip(state["num_sends"], recipe.num_sends, strict=True)):
        if asked is not None and there != asked:
            found.append(f"num_sends of layer {number + 1}={there} there, {asked} here")
    return found


def _chips(state: Mapping[str, Any], mac: AnalogMac) -> list[str]:
    there, here = state["chip"], dict(mac.identity)
    if bool(there) != bool(here):
        names = ["a chip" if chip else "no chip" for chip in (there, here)]
        return [f"{names[0]} there, {names[1]} here"]
    keys = [key for key in {**there, **here} if there.get(key) != here.get(key)]
    return [f"{key} of the chip={there.get(key)} there, {here.get(key)} here" for key in keys]


def _gains(state: Mapping[str, Any], mac: AnalogMac, tolerance: float) -> list[str]:
    if abs(state["gain"] / mac.gain - 1) <= tolerance:
        return []
    return [f"gain={state['gain']:.5g} there, {mac.gain:.5g} here (more than {tolerance:.1%} apart)"]


def _refuse(differences: list[str]) -> None:
    if differences:
        raise Refused(f"the checkpoint does not fit: {'; '.join(differences)}. Use the same settings, or train anew.")


def weights(net: Network) -> dict[str, Any]:
    """Copies, by name."""
    named = {"w1": net.first.weight, "b1": net.first.bias, "w2": net.second.weight, "b2": net.second.bias}
    return {name: part.clone() for name, part in named.items() if part is not None}


def restored(stored: Mapping[str, Any], num_sends: list[int], net: Network) -> Network:
    """A network of the shape of `net`, with copies of stored weights. `num_sends` goes with the weights."""
    device = net.first.weight.device

    def own(name: str) -> Any:
        return stored[name].to(device, copy=True) if name in stored else None

    return Network(
        Layer(own("w1"), own("b1"), num_sends[0], net.first.avg),
        Layer(own("w2"), own("b2"), num_sends[1], net.second.avg),
        net.shift,
    )
