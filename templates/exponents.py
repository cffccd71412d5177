"""Minor digits of currencies (ISO 4217, list one)."""

from __future__ import annotations

_USUAL = 2
_NONE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE = "BHD IQD JOD KWD LYD OMR TND"
_OTHERS = {**dict.fromkeys(_NONE.split(), 0), **dict.fromkeys(_THREE.split(), 3)}


def exponent_of(currency: str) -> int:
    """Return how many minor digits a currency has: JPY 0, EUR 2, KWD 3.

    CLDR's own digits are how prices are shown in shops (IQD 0), not what `amount_minor` counts (IQD 3).
    """
    return _OTHERS.get(currency, _USUAL)
