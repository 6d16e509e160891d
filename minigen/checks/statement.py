r"""LaTeX statements as one line of plain text: `\log p(x) = \mathcal{L}(q)` reads `log p(x) = L(q)` in a terminal."""

import re

_WORDS = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "varepsilon": "ε", "eta": "η",
    "theta": "θ", "lambda": "λ", "mu": "μ", "nu": "ν", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ",
    "phi": "φ", "varphi": "φ", "psi": "ψ", "omega": "ω", "Sigma": "Σ", "Lambda": "Λ", "Delta": "Δ",
    "int": "∫", "sum": "Σ", "prod": "Π", "partial": "∂", "nabla": "∇", "infty": "∞",
    "leq": "≤", "le": "≤", "geq": "≥", "ge": "≥", "neq": "≠", "approx": "≈", "propto": "∝", "sim": "~",
    "to": "→", "in": "∈", "cdot": "·", "times": "×", "odot": "⊙", "circ": "∘", "pm": "±", "ldots": "...",
    "langle": "⟨", "rangle": "⟩", "Vert": "||", "quad": " ", "qquad": " ",
    "log": "log", "exp": "exp", "det": "det", "max": "max", "min": "min", "arg": "arg", "lim": "lim",
}  # fmt: skip
_WRAPPERS = r"\\(?:mathrm|mathcal|mathbb|mathbf|boldsymbol|bm|text|operatorname)\s*\{([^{}]*)\}"
_SILENT = r"\\(?:left|right|big|Big|bigl|bigr|displaystyle)(?![a-zA-Z])"


def plain(latex: str) -> str:
    """The statement as one line of Unicode text; commands it does not know lose their backslash."""
    text = re.sub(r"\s*\\mid(?![a-z])\s*", "|", re.sub(_SILENT, "", latex))
    text = text.replace(r"\|", "||").replace(r"\,", " ").replace(r"\;", " ").replace(r"\!", "").replace("\\ ", " ")
    while True:  # from the innermost braces outwards
        smaller = re.sub(_WRAPPERS, r"\1", text)
        smaller = re.sub(r"\\frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}", _fraction, smaller)
        smaller = re.sub(r"\\(?:hat|tilde|bar|vec|sqrt)\s*(?:\{([^{}]*)\}|(\\?[a-zA-Z]+))", _accent, smaller)
        smaller = re.sub(r"([_^])\{(-?\w+|\\[a-zA-Z]+)\}", r"\1\2", smaller)
        smaller = re.sub(r"([_^])\{([^{}]*)\}", r"\1(\2)", smaller)
        if smaller == text:
            break
        text = smaller
    text = re.sub(r"\\([a-zA-Z]+)", lambda m: _WORDS.get(m[1], m[1]), text)
    text = text.replace("{", "").replace("}", "").replace("\\", "")
    text = re.sub(r"\s*(\|\|)\s*", r" \1 ", text)
    text = re.sub(r"([∇∂⟨]) ", r"\1", text).replace(" ⟩", "⟩")
    return re.sub(r"\s+", " ", text).strip()


def _fraction(match: re.Match) -> str:
    above, below = match[1].strip(), match[2].strip()
    return f"{_grouped(above)}/{_grouped(below)}"


def _grouped(text: str) -> str:
    return f"({text})" if re.search(r"[ +\-]", text) else text


def _accent(match: re.Match) -> str:
    """A hat, tilde or root written before its letter: hat x, sqrt x."""
    command = re.match(r"\\([a-z]+)", match[0])[1]
    return f"{command}({match[1]})" if match[1] else f"{command} {match[2]}"
