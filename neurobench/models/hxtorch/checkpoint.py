"""What a checkpoint says of the network that it holds, and when another run may take its weights."""

from collections.abc import Mapping
from typing import Any

from neurobench.config.errors import UserError
from neurobench.devices.mac.protocol import AnalogMac
from neurobench.models.hxtorch.network import Network
from neurobench.models.hxtorch.spec import HXTorchMLP

FORMAT = 1
SAME_CHIP = 0.005  # relative: so well two calibrations of one chip agree
TRANSFER = 0.05  # relative: a chip whose gain is further off rescales all logits, which training did not foresee


def describe(net: Network, spec: HXTorchMLP, mac: AnalogMac) -> dict[str, Any]:
    """All that makes the weights mean what they mean."""
    names = ("hidden", "avg", "shift", "bias", "half_lsb", "exact")
    sizes = {"inputs": net.first.weight.shape[1], "classes": len(net.second.weight)}
    return {
        "format": FORMAT,
        "settings": {**sizes, **{name: getattr(spec, name) for name in names}},
        "num_sends": net.num_sends,
        "gain": mac.gain,
        "noise_std": mac.noise_std,
        "chip": dict(mac.identity),
        "calibration": dict(mac.calibration),
    }


def require_same(state: Mapping[str, Any], net: Network, spec: HXTorchMLP, mac: AnalogMac) -> None:
    """Raise UserError unless the state is one of this very setting, on this chip."""
    _require(state, net, spec, mac, SAME_CHIP)


def require_transferable(state: Mapping[str, Any], net: Network, spec: HXTorchMLP, mac: AnalogMac) -> None:
    """The same, except that what was learned on the linear model may go on on any chip of about its gain."""
    _require(state, net, spec, mac, SAME_CHIP if state.get("chip") else TRANSFER)


def _require(state: Mapping[str, Any], net: Network, spec: HXTorchMLP, mac: AnalogMac, tolerance: float) -> None:
    if "settings" not in state or state.get("format") != FORMAT:
        raise UserError(f"the checkpoint is not one of hxtorch_mlp in format {FORMAT}; train one with this version.")
    theirs, ours = state["settings"], describe(net, spec, mac)["settings"]
    faults = [f"{key}={theirs[key]} there, {ours[key]} here" for key in ours if theirs[key] != ours[key]]
    for number, (stored, wanted) in enumerate(zip(state["num_sends"], spec.num_sends, strict=True), start=1):
        if wanted is not None and stored != wanted:
            faults.append(f"num_sends of layer {number}={stored} there, {wanted} here")
    if tolerance == SAME_CHIP:
        faults += _chip_faults(state["chip"], dict(mac.identity))
    if abs(state["gain"] / mac.gain - 1) > tolerance:
        faults.append(f"gain={state['gain']:.5g} there, {mac.gain:.5g} here (more than {tolerance:.1%} apart)")
    if faults:
        raise UserError(f"the checkpoint does not fit: {'; '.join(faults)}. Use the same settings, or train anew.")


def _chip_faults(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> list[str]:
    if bool(theirs) != bool(ours):
        names = ["a chip" if chip else "no chip" for chip in (theirs, ours)]
        return [f"{names[0]} there, {names[1]} here"]
    keys = [key for key in {**theirs, **ours} if theirs.get(key) != ours.get(key)]
    return [f"{key} of the chip={theirs.get(key)} there, {ours.get(key)} here" for key in keys]
