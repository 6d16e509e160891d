r"""What the ledger has to hold: the claims and errata that each lecture executes.

A lecture uses these ids in `claim(id, ...)` and `erratum(id, ...)`, and may add claims of its own. An erratum
that takes several experiments is split by a suffix: `C2-plu` and `C2-qr` both run row C2.
Errata come from `errata_table`: every executable row of a lecture is required of it once the lecture is
listed in `CLAIMS`; the rows of later lectures are planned. Statements are in LaTeX, one line each; the source
is document:line, or empty where the documents do not treat the subject.
"""

from dataclasses import dataclass

from minigen.checks.errata_table import ERRATA, errata_of


@dataclass(frozen=True)
class RequiredClaim:
    """One claim that a lecture must execute: id, LaTeX statement, source line in the lecture documents."""

    id: str
    statement: str
    source: str


_c = RequiredClaim

CLAIMS: dict[int, tuple[RequiredClaim, ...]] = {
    1: (  # autodiff
        _c("tape-is-chain-rule", r"\nabla f \text{ by hand} = \nabla f \text{ by the tape}", "S2:15"),
        _c("vjp-is-transposed-jvp", r"\langle u, J v \rangle = \langle J^T u, v \rangle", "S2:15"),
        _c("jacobian-by-rows-and-columns",
           r"J \text{ by } n \text{ vjps} = J \text{ by } m \text{ jvps}", "S2:15"),
        _c("gradient-of-gradient", r"H v = \nabla (\nabla f \cdot v)", ""),
        _c("ones-cotangent-is-blind", r"1^T J_{\mathrm{softmax}} = 0", ""),
        _c("random-cotangent-sees", r"|u^T (J - \hat J)| > 0 \text{ for a wrong rule } \hat J", ""),
        _c("reverse-cost-is-constant",
           r"\mathrm{cost}(\nabla f) \leq c \, \mathrm{cost}(f) \text{ for every } n", ""),
        _c("forward-cost-is-linear", r"\text{passes of forward mode for } \nabla f = n", ""),
        _c("float32-gradient-error", r"|\nabla f_{32} - \nabla f_{64}| \leq c \, 2^{-24} |\nabla f|", ""),
        _c("difference-step-optimum",
           r"h^* = (3 \epsilon |f| / |f'''|)^{1/3} \text{ for central differences}", ""),
        _c("compiler-removes-waste",
           r"\text{matmuls} = 4L - 1 \text{ as written}, \; 3L - 1 \text{ compiled}", ""),
        _c("dead-code-is-free",
           r"\text{operations left} = \text{operations without the length}", ""),
        _c("one-owner-at-a-time",
           r"\max_{\text{byte}, \text{step}} \text{values alive there} = 1", ""),
        _c("memory-in-use",
           r"\max_{\text{step}} \sum_{v \text{ alive}} |v| = \text{dashed line}", ""),
        _c("replay-is-eager", r"\text{20 steps replayed} = \text{20 steps on the tape}", ""),
        _c("replay-draws-the-same-stream",
           r"\text{next draws after the replay} = \text{next draws after the tape}", ""),
        _c("compiled-is-interpreted",
           r"\text{fused loops} = \text{one NumPy call for each operation}", ""),
        _c("replay-against-differences",
           r"\langle \nabla L, d \rangle \text{ replayed} = (L(w + hd) - L(w - hd)) / 2h", ""),
        _c("where-takes-both-ways",
           r"\text{where, recorded once} = \text{if, decided each time}", ""),
    ),
    2: (  # bayes
        _c("evidence-closed-form", r"p(x) = \int p(x|\theta) p(\theta) d\theta", "S2:196"),
        _c("posterior-mass", r"\int p(\theta|X) d\theta = 1", "S2:212"),
        _c("conjugate-beta-bernoulli", r"p(\theta|X) = \mathrm{Beta}(a + s, b + n - s)", "S4:265"),
        _c("conjugate-normal-mean",
           r"p(\theta|X) = N(\mu_n, \sigma_n^2), \ 1/\sigma_n^2 = 1/\sigma_0^2 + n/\sigma^2", "S4:265"),
        _c("conjugate-dirichlet-categorical",
           r"p(\theta|X) = \mathrm{Dir}(\alpha + \mathrm{counts})", "S4:265"),
        _c("posterior-predictive", r"p(x'|X) = \int p(x'|\theta) p(\theta|X) d\theta", "S4:261"),
        _c("map-is-posterior-mode",
           r"\arg\max_\theta [\log p(X|\theta) + \log p(\theta)] = \mathrm{mode}\, p(\theta|X)", "S2:218"),
        _c("map-approaches-mle",
           r"n |\theta_{MAP} - \theta_{MLE}| \text{ stays bounded as } n \to \infty", "S4:269"),
        _c("forward-kl-is-mle",
           r"KL(\pi \| p_\theta) + H(\pi) = -E_\pi \log p(x|\theta)", "S2:36"),
        _c("forward-kl-marginals-exact",
           r"q_j(\theta_j) = p(\theta_j|x) \text{ at the forward fit}", "S4:335"),
        _c("reverse-kl-too-narrow",
           r"\mathrm{Var}_q = (1 - \rho^2) \mathrm{Var}_p \text{ at the reverse fit}", "S4:326"),
        _c("reverse-kl-one-mode", r"KL(q \| p) = \log 2 \text{ at one of two far modes}", "S4:304"),
        _c("naive-evidence-unbiased", r"E \frac{1}{K} \sum_k p(x|z_k) = p(x)", "S2:295"),
        _c("naive-log-evidence-low", r"E \log \frac{1}{K} \sum_k p(x|z_k) < \log p(x)", "S2:295"),
        _c("naive-samples-exponential",
           r"\mathrm{Var}[p(x|z)] / p(x)^2 + 1 = r^d \text{ in } d \text{ dimensions}", "S2:299"),
    ),
    3: (  # boltzmann
        _c("markov-field-joint", r"p(x) = \frac{1}{Z} \prod_c \psi_c(x_c)", "S4:53"),
        _c("markov-property", r"p(x_0 | x_1, x_2) = p(x_0 | x_1) \text{ if 0 and 2 share no clique}", ""),
        _c("fluctuations-tell-the-heat", r"d\langle E \rangle / dT = \mathrm{Var}(E) / T^2", "S4:89"),
        _c("free-energy-is-minus-t-log-z", r"\langle E \rangle - T H(p) = -T \log Z", "S4:89"),
        _c("variational-principle", r"E_q[E] - T H(q) \geq -T \log Z", ""),
        _c("rbm-free-energy", r"F(v) = -\log \sum_h e^{-E(v, h)}", "S4:107"),
        _c("rbm-hidden-given-visible", r"p(h|v) = \prod_j \sigma(c_j + v^T W_{\cdot j})^{h_j} \cdots", "S4:114"),
        _c("rbm-visible-given-hidden", r"p(v|h) = \prod_i \sigma(b_i + W_{i \cdot} h)^{v_i} \cdots", "S4:120"),
        _c("either-side-one-z",
           r"\sum_v e^{-F(v)} = \sum_h e^{c^T h} \prod_i (1 + e^{b_i + W_{i \cdot} h})", "S4:74"),
        _c("log-z-in-gray-code",
           r"\log Z \text{ with one unit flipped at a time} = \log Z \text{ by the joint}", ""),
        _c("gradient-matches-moments",
           r"\partial \langle \log p \rangle / \partial \log \psi_c(s) = \hat p(x_c = s) - p(x_c = s)", "S4:143"),
        _c("rbm-exact-gradient",
           r"\partial \log p / \partial W = \langle v h^T \rangle_{data} - \langle v h^T \rangle_{model}", "S4:143"),
        _c("likelihood-ceiling",
           r"\frac{1}{N} \sum_n \log p(v_n) \leq -H(\hat p) = -\log 14", "S4:137"),
        _c("detailed-balance-of-a-site", r"p(s) K_i(s, t) = p(t) K_i(t, s)", ""),
        _c("a-sweep-keeps-the-joint", r"p K_0 K_1 K_2 K_3 = p", ""),
        _c("a-sweep-is-not-reversible",
           r"\max |p(s) K(s, t) - p(t) K(t, s)| > 0 \text{ for a sweep in fixed order}", ""),
        _c("time-reversal-turns-the-order", r"p(s) K_{0123}(s, t) = p(t) K_{3210}(t, s)", ""),
        _c("there-and-back-is-reversible", r"p(s) (K K')(s, t) = p(t) (K K')(t, s)", ""),
        _c("second-eigenvalue-is-the-pace", r"|p_{k+1} - p| / |p_k - p| \to |\lambda_2|", ""),
        _c("transfer-matrix", r"Z = \mathrm{tr}\, V^{rows}", ""),
        _c("checkerboard-is-sequential",
           r"\pi = \pi K_{black} K_{white} \text{ and } \pi = \pi K_0 \cdots K_8 \text{ have one solution}", ""),
        _c("at-once-keeps-the-means", r"\langle s_i \rangle_{at once} = \langle s_i \rangle", ""),
        _c("at-once-loses-the-joint", r"\pi_{at once}(s) = p(s_{black})\, p(s_{white})", ""),
        _c("at-once-has-the-wrong-energy", r"\langle E \rangle_{at once} > \langle E \rangle", ""),
        _c("onsager-energy",
           r"u = -\coth(2/T) [1 + \frac{2}{\pi} (2 \tanh^2(2/T) - 1) K_1]", ""),
        _c("onsager-magnetisation", r"|\langle s \rangle| = (1 - \sinh^{-4}(2/T))^{1/8}", ""),
        _c("gaussian-rbm-is-a-mixture", r"e^{-F(v)} / Z = \sum_h p(h)\, N(v;\, b + s W h,\, s^2)", ""),
        _c("gaussian-rbm-mass", r"\int e^{-F(v)} dv = Z", ""),
        _c("gaussian-rbm-chain",
           r"P(v_1 > 1/2) \text{ by chains} = \int_{v_1 > 1/2} p(v) dv", ""),
        _c("label-given-picture", r"p(y|v) = e^{-F(v, y)} / \sum_{y'} e^{-F(v, y')}", ""),
        _c("label-log-z", r"Z = \sum_y e^{d_y} Z_y", ""),
    ),
    4: (  # contrastive divergence
        _c("exact-gradient-differences",
           r"\partial \log p / \partial \theta = -\partial F(x) + \langle \partial F \rangle_p", "S4:143"),
        _c("cd-autodiff-is-products",
           r"\nabla_\theta [F(x) - F(x_k)] = -x\,p(h|x)^T + x_k\,p(h|x_k)^T, \ldots", "S4:169"),
        _c("cd-expected-by-matrix",
           r"\langle x_1\,p(h|x_1) \rangle_{chains} = \sum_t (\hat p\,T)(t)\; t\,p(h|t)", "S4:169"),
        _c("cd-bias-falls", r"|E[\mathrm{CD}_{k+1}] - \nabla \log p| < |E[\mathrm{CD}_k] - \nabla \log p|", ""),
        _c("cd-bias-second-eigenvalue", r"|bias_{k+1}| / |bias_k| \to \lambda_2", ""),
        _c("eigenvalue-is-correlation", r"\lambda_2(T) = \max_{f, g} \mathrm{corr}(f(x), g(h))^2", ""),
        _c("cd-bias-bound", r"|bias_k| \leq \lambda_2^k\, \mathrm{sd}_p(g) \sqrt{\chi^2(\hat p \| p)}", ""),
        _c("chain-approaches", r"KL(\hat p\,T^{k+1} \| p) \leq KL(\hat p\,T^k \| p)", ""),
        _c("likelihood-field-symmetric", r"\partial_i g_j = \partial_j g_i \text{ for } g = \nabla \log p", ""),
        _c("cd-is-no-gradient",
           r"\max |\partial_i g_j - \partial_j g_i| > 0 \text{ for } g = E[\mathrm{CD}_1]", ""),
        _c("exchange-keeps-the-product",
           r"\pi_r(x)\,\pi_s(y) \to \pi_r(x)\,\pi_s(y) \text{ under exchange}", ""),
        _c("persistent-chains-arrive", r"\langle x_i x_j \rangle_{chains} = \sum_x p(x)\, x_i x_j", ""),
        _c("pseudo-likelihood-misleads",
           r"\log p \text{ falls while } \sum_i \log p(x_i | x_{-i}) \text{ rises}", ""),
        _c("reconstruction-misleads", r"\log p \text{ falls while the reconstruction error falls}", ""),
        _c("pseudo-by-conditionals",
           r"\sum_i \log \sigma(F(x^{(i)}) - F(x)) = \sum_i \log p(x_i | x_{-i})", ""),
        _c("one-flip-unbiased", r"E_i[D \log p(x_i | x_{-i})] = \sum_i \log p(x_i | x_{-i})", ""),
        _c("ais-unbiased", r"E[w] = Z_K / Z_0", ""),
        _c("ais-log-low", r"E[\log w] \leq \log Z_K / Z_0", ""),
        _c("ais-base-rate", r"W = 0: \; w = Z / Z_0 \text{ in every chain}", ""),
        _c("ais-interval", r"\log Z_{AIS} = \log Z \text{ within its own interval}", ""),
        _c("reverse-ais-unbiased", r"E_{down}[1 / w] = Z_0 / Z_K", ""),
        _c("reverse-ais-above", r"E_{up}[\log w] \leq \log Z_K / Z_0 \leq E_{down}[\log w]", ""),
        _c("log-z-between",
           r"\langle \log w \rangle_{up} \leq \log Z - \log Z_0 \leq \langle \log w \rangle_{down}", ""),
        _c("raise-below", r"E[\log \hat p(x)] \leq \log p(x)", ""),
    ),
    5: (  # deep boltzmann
        _c("dbn-joint-mass", r"\sum p(x|h_1)\, p(h_1, h_2) = 1", "S4:180"),
        _c("dbn-joint-factors", r"p(x, h_1, h_2) = p(x|h_1)\, p(h_1, h_2)", "S4:180"),
        _c("dbn-exact-likelihood", r"p(x) = \sum_{h_1} p(x|h_1)\, p(h_1)", "S4:180"),
        _c("dbn-ancestral-sampling", r"\text{Gibbs in the top RBM, then down} \sim p(x)", "S4:181"),
        _c("dbn-bound", r"\log p(x) \geq E_q[\log p(x, h_1) - \log q(h_1|x)]", "S4:175"),
        _c("dbn-bound-gap", r"\log p(x) - \mathcal{L}(x) = KL(q(h_1|x) \| p(h_1|x))", "S4:175"),
        _c("turned-over-changes-nothing", r"p(x) \text{ with } W_2 = W_1^T = p(x) \text{ of the first RBM}", "S4:179"),
        _c("turned-over-bound-is-tight", r"\mathcal{L}(x) = \log p(x) \text{ at } W_2 = W_1^T", "S4:179"),
        _c("second-layer-raises-the-bound",
           r"\mathcal{L} \text{ after training layer 2} > \mathcal{L} \text{ before}", "S4:179"),
        _c("fine-tuning-lowers-the-error", r"|x - g(f(x))|^2 \text{ after fine-tuning} < \text{before}", "S0:137"),
        _c("stack-beats-random-start", r"\text{error from a stack} < \text{error from random weights}", "S0:137"),
        _c("dbm-conditionals", r"p(h_l|h_{l-1}, h_{l+1}) = \sigma(W_l^T h_{l-1} + W_{l+1} h_{l+1} + b_l)", "S4:196"),
        _c("mean-field-bound", r"E_q[-E] + H(q) - \log Z \leq \log p(v)", "S4:216"),
        _c("mean-field-gap", r"\log p(v) - \mathcal{L}(\mu) = KL(q(h) \| p(h|v))", "S4:216"),
        _c("mean-field-climbs",
           r"\mathcal{L}(\mu^{(k+1)}) \geq \mathcal{L}(\mu^{(k)}) \text{, layer after layer}", "S4:216"),
        _c("dbm-is-an-rbm", r"E_{DBM}(v, h_1, h_2, h_3) = E_{RBM}((v, h_2), (h_1, h_3))", "S4:193"),
        _c("dbm-log-z", r"\log Z \text{ by 2^5 states} = \log Z \text{ by 2^{11}}", "S4:193"),
        _c("ais-through-the-rbm", r"\log \hat Z_{AIS} = \log Z", "S4:193"),
        _c("model-phase-needs-chains",
           r"\log p \text{ with mean field in both phases} < \log p \text{ with chains}", "S4:216"),
        _c("doubled-input", r"p(h_1|v, h_2 = v) = \sigma(2 W_1^T v + c)", "S4:212"),
        _c("stack-is-a-geometric-mean", r"p_{DBM}(h_1) \propto \sqrt{p_1(h_1)\, p_2(h_1)}", "S4:212"),
        _c("centred-is-plain", r"p(v, h) \text{ centred} = p(v, h) \text{ plain, after conversion}", "S4:193"),
        _c("there-and-back", r"b_l - W_l^T o_{l-1} - W_{l+1} o_{l+1} \text{ undoes the shift}", "S4:193"),
        _c("centring-helps", r"\text{mean } \log p \text{ centred} > \text{plain, after 50 epochs}", ""),
    ),
    11: (  # vae
        _c("gaussian-kl-quadrature",
           r"KL(N(\mu, \sigma^2) \| N(0, 1)) = (\mu^2 + \sigma^2 - 1)/2 - \log \sigma", "S1:336"),
        _c("gaussian-kl-monte-carlo", r"E_q[\log q(z) - \log p(z)] = KL(q \| p)", "S1:336"),
        _c("elbo-two-forms",
           r"E_q[\log p(x,z) - \log q(z|x)] = E_q \log p(x|z) - KL(q(z|x) \| p(z))", "S1:332-336"),
        _c("elbo-decomposition", r"\log p(x) = \mathcal{L}(q) + KL(q(z|x) \| p(z|x))", "S2:341"),
        _c("elbo-is-a-bound", r"\mathcal{L}(x) \leq \log p(x)", "S2:329"),
        _c("reparameterised-gradient",
           r"E_\epsilon \nabla_\phi r(\mu + \sigma \epsilon) = \nabla_\phi E_q r(z)", "S1:220"),
        _c("importance-sampling-evidence",
           r"E \frac{1}{K} \sum_k p(x,z_k)/q(z_k|x) = p(x)", "S1:384"),
        _c("importance-sampling-above-elbo",
           r"E \log \frac{1}{K} \sum_k p(x,z_k)/q(z_k|x) \geq \mathcal{L}(x)", "S1:384"),
        _c("linear-vae-reaches-ppca",
           r"\max \mathcal{L} \text{ of a linear VAE} = \max \log p \text{ of pPCA}", "S2:273"),
        _c("bits-back-round-trip", r"\mathrm{decode}(\mathrm{encode}(x)) = x", "S1:352"),
        _c("bits-back-length",
           r"\text{bits of bits-back} \leq -\mathcal{L} / \log 2 + \text{overhead}", "S1:352"),
        _c("amortisation-gap-nonnegative",
           r"\max_\phi \mathcal{L}(x; \phi) - \mathcal{L}(x; f_\lambda(x)) \geq 0", "S1:275"),
        _c("amortisation-gap-falls", r"\text{gap of a wide encoder} < \text{gap of a narrow one}", "S1:268"),
    ),
    14: (  # change of variables
        _c("change-of-variables-mass", r"\int p(f(x)) |\det J_f(x)| dx = 1", "S2:22"),
        _c("change-of-variables-density", r"p(x) = p(f(x)) |\det J_f(x)|", "S2:22"),
        _c("inverse-log-det", r"\log|\det J_g(f(x))| = -\log|\det J_f(x)|", "S2:22"),
        _c("composition-log-det",
           r"\log|\det J_{f_2 \circ f_1}(x)| = \log|\det J_{f_1}(x)| + \log|\det J_{f_2}(f_1(x))|", "S2:32"),
        _c("reverse-kl-of-flow",
           r"KL(p \| \pi) = E_{p(z)}[\log p(z) - \log|\det J_g| - \log \pi(g(z))]", "S2:40"),
        _c("kl-duality-value", r"KL(\pi(x) \| p(x|\theta)) = KL(p(z|\theta) \| p(z))", "S2:44"),
        _c("plu-log-det", r"\log|\det PLU| = \sum_i \log|u_{ii}|", "S2:65"),
        _c("qr-log-det", r"\log|\det QR| = \sum_i \log|r_{ii}|", "S2:70"),
        _c("householder-orthogonal", r"Q^T Q = I \text{ for a product of reflections}", "S2:73"),
        _c("planar-log-det",
           r"\log|\det J| = \log|1 + h'(w^T z + b) u^T w|", "S4:768"),
        _c("planar-constraint", r"w^T \hat u \geq -1", "S4:768"),
        _c("planar-inverse", r"f^{-1}(f(z)) = z \text{ by root finding}", "S4:768"),
        _c("planar-implicit-gradient",
           r"d\alpha/d\theta = -(\partial F/\partial \alpha)^{-1} \partial F/\partial \theta", "S4:768"),
        _c("planar-flow-mass", r"\int q_K(z) dz = 1 \text{ in two dimensions}", "S4:768"),
        _c("potential-fit-bound", r"E_q[\log q(z) + U(z)] \geq -\log Z", "S2:40"),
    ),
}


def erratum_row(id: str) -> str:
    """Row of the errata table that an erratum id runs: `C2-plu` runs C2."""
    return id.split("-", 1)[0]


def required_ids(lecture: int) -> list[str]:
    """Ids that the ledger of this lecture must hold: claims, then errata. Empty for a planned lecture."""
    if lecture not in CLAIMS:
        return []
    return [claim.id for claim in CLAIMS[lecture]] + [row.id for row in errata_of(lecture)]


def missing_ids(lecture: int, present: set[str]) -> list[str]:
    """Required ids that `present` does not cover."""
    covered = present | {erratum_row(id) for id in present}
    return [id for id in required_ids(lecture) if id not in covered]


def planned_errata() -> list[str]:
    """Executable rows whose lecture is not written yet."""
    return [row.id for row in ERRATA if row.executable and row.lecture not in CLAIMS]
