"""Every slip of the lecture documents S0..S4: where it stands, what is right, and which lecture runs it.

One line per row: "id class lecture source", the printed form, the right form. Class W: wrong; A: ambiguous or
over-claimed; T: typographical; a T row marked `!` is one that a reader could trip over. Rows W, A and T!
become `erratum(...)` cells of their lecture; plain T rows are only listed. The id is the one `erratum` takes.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class ErrataRow:
    """One slip: id, class (W, A or T), lecture number, source line, printed and right form.

    `executable` says whether the lecture has to run it.
    """

    id: str
    kind: str
    lecture: int
    source: str
    printed: str
    right: str
    executable: bool


def _row(key: str, printed: str, right: str) -> ErrataRow:
    name, kind, lecture, source = key.split(" ", 3)
    return ErrataRow(name, kind.rstrip("!"), int(lecture), source, printed, right, executable=kind != "T")


ERRATA = (
    # S0: flows and latent variable models
    _row("A1 W 02 S0:43", "p(x) = sum_z p(x|z) p(z) is O(n^2)", "2^k terms for k binary latents"),
    _row("A2 W 02 S0:51", "p(x|z) is intractable", "the evidence p(x) is; p(x|z) is cheap"),
    _row("A3 T 11 S0:29,31", "z ~ p(z,B), x ~ q(x, DNN(z))", "z ~ p(z; beta), x ~ p_theta(x|z)"),
    _row("A4 W 10 S0:91-94", "wake-sleep keeps one posterior per datum",
         "it trains one shared recognition net"),
    _row("A5 A 10 S0:83-87", "sleep is flawed by wrong x only", "wrong x and the other KL: not the ELBO"),
    _row("A6 A 10 S0:75", "wake: z from the data distribution", "wake: z ~ q(z|x); sleep: (z,x) ~ p_model"),
    _row("A7 W 11 S0:110", "reparameterisation makes z continuous",
         "it needs a continuous z: pathwise 0 for 1[u<p]"),
    _row("A8 T! 11 S0:114", "grad_theta and grad_theta of the ELBO", "grad_theta and grad_phi"),
    _row("A9 A 16 S0:15", "AF and IAF together are the worst of both",
         "true of stacking, false of distillation"),
    _row("A10 A 02 S0:63", "projection of q onto p", "KL(q||p) minimised over q: the reverse projection"),
    _row("A11 A 10 S0:100", "Helmholtz machine of hm95 learns by wake-sleep",
         "hm95 is deterministic mean field"),
    _row("A12 A 18 S0:19", "add u ~ U[0,1)", "also rescale and state the constant of bits/dim"),
    # S1: learning latent variable models
    _row("B1 W 11 S1:37", "nets parameterise the x -> z mapping", "the z -> x mapping p_theta(x|z)"),
    _row("B2 T! 09 S1:130,223,237", "(1/k) sum_k ... z^k", "(1/K) sum_{k=1}^K"),
    _row("B3 W 09 S1:204", "log q(z) varies greatly for small z",
         "for small q(z); the cause is f times the score"),
    _row("B4 A 09 S1:222", "r and g differentiable in phi", "g in phi and r in z"),
    _row("B5 A 09 S1:224", "pathwise variance is typically lower", "not for r = sin(omega z), omega large"),
    _row("B6 A 09 S1:186", "E[grad_phi f] is a term of the gradient", "it is -E[score] = 0 for the ELBO"),
    _row("B7 W 11 S1:265", "the model is fit to p_data(z,x)", "to p_data(x): z is never observed"),
    _row("B8 A 11 S1:303-304", "mu = sigmoid(Az+c), Sigma = diag exp sigmoid(Bz+d)",
         "a free mean and log variance; so printed, variance stays in (1, e)"),
    _row("B9 A 11 S1:316", "z must be Gaussian", "z must be reparameterisable or enumerable"),
    _row("B10 A 08 S1:70", "VI produces a tight approximation", "tight only if q can be the posterior"),
    _row("B11 A 08 S1:103-117", "one datum's gradient in theta", "times the number of data M"),
    _row("B12 A 11 S1:275", "one phi for all is the same bound", "lower by the amortisation gap"),
    _row("B13 T 11 S1:277,324,332,334",
         "log q(z|x)), p(x,z,theta), N(0,l)", "log q(z|x), p(x,z;theta), N(0,I)"),
    # S2: flows, latent variables, EM
    _row("C1 W 14 S2:61", "z = Wx, J_f = W^T", "J_f = W"),
    _row("C2 W 14 S2:73", "then fit P/L/U or Q/R", "P is fixed, diag L = 1, Q stays orthogonal"),
    _row("C3 A 14 S2:32", "sum_k log|det J_{f_k}|, all at x", "J_{f_k} at f_{k-1} o ... o f_1(x)"),
    _row("C4 W 07 S2:274", "cov sigma^2 M, M = WW^T + sigma^2 I", "cov sigma^2 M^-1, M = W^T W + sigma^2 I"),
    _row("C5 W 02 S2:287", "argmax log sum_i int p(x_i,z_i) dz_i", "argmax sum_i log int p(x_i,z_i) dz_i"),
    _row("C6 T 06 S2:366", "E_q[...] dz", "E_q[...]"),
    _row("C7 A 06 S2:347,437-438", "maximising the ELBO finds the MLE", "only if q can be the posterior"),
    _row("C8 T! 06 S2:251-260", "mixture: p(x|z) = N(Wz+mu, sigma^2 I)",
         "mixture: p(x|z) = N(mu_z, Sigma_z)"),
    _row("C9 A 02 S2:34-36", "forward KL: log p(x|theta)", "KL(pi||p) = -E_pi log p(x|theta) - H(pi)"),
    _row("C10 A 14 S2:44", "the two KLs have one argmin", "they are equal in value"),
    _row("C11 A 02 S2:295", "log p(x) by the log of the sample mean", "unbiased for p, biased low for log p"),
    _row("C12 A 06 S2:400-408", "variational Bayes", "variational EM; a gradient step need not raise log p"),
    _row("C13 A 14 S2:89", "map from p(z) to p(x)", "map from z to x, with det = prod_j 1/sigma_j"),
    _row("C14 T 15 S2:123,144", "the block matrix as a fraction", "[[I, 0], [dz2/dx1, diag 1/sigma]]"),
    # S3: dequantisation, surgery, flows in VAEs
    _row("D1 T! 16 S3:24,352", "IAF: z = g(z, theta)", "x = g(z, theta)"),
    _row("D2 W 15 S3:39", "z_{d:m} = tau(x_{d:m}, c(x_{1:d}))", "z_{d+1:m} = tau(x_{d+1:m}, c(x_{1:d}))"),
    _row("D3 W 18 S3:59", "pixels in {0, 255}", "{0, 1, ..., 255}"),
    _row("D4 A 18 S3:71,86,90", "u ~ U[0,1]", "u ~ U[0,1)^m, so that floor(x+u) = x"),
    _row("D5 W 18 S3:110,128", "any flow u = g(eps,x)", "supp q in [0,1)^m, else L is no bound"),
    _row("D6 T 18 S3:144", "p(x+g)", "p(x+g|theta)"),
    _row("D7 A 16 S3:162", "IAF, RealNVP, Glow: exact likelihood",
         "IAF by m solves; on discrete data a bound"),
    _row("D8 A 14 S3:255-257,15-17,313", "f and g swap roles",
         "one direction: f data -> noise, g noise -> data"),
    _row("D9 W 17 S3:313,328,340", "log q(z*) = log q(z) + log|det dg/dz|", "log q(z) - log|det dg/dz|"),
    _row("D10 W 17 S3:344,389", "ELBO = E[log p - log q - log|det J_g|]", "E[log p - log q + log|det J_g|]"),
    _row("D11 A 17 S3:364-366", "z_k = sigma * z_{k-1} + mu", "masked, log q_k = log q_0 - sum log sigma"),
    _row("D12 W 17 S3:376-384,424", "flow prior = flow posterior",
         "only with the decoder composed with the flow"),
    _row("D13 T! 17 S3:394", "eps ~ p(z*)", "z* ~ p(z*)"),
    _row("D14 A 17 S3:396", "same computation cost", "same training cost; the AF prior samples one by one"),
    _row("D15 T! 13 S3:222", "the whole ELBO is the marginal KL",
         "reconstruction - information - marginal KL"),
    _row("D16 A 13 S3:228-230,422", "the optimal prior is q_agg", "for the training ELBO; it over-fits"),
    _row("D17 A 13 S3:196,212", "I_q[x,z]", "I_q[index; z], in [0, log n]"),
    _row("D18 A 17 S3:300", "a normal posterior is poor: one mode",
         "also diagonal; full covariance or a flow differ"),
    # S4: energy models, Bayes, variational inference, VAEs, flows
    _row("E1 W 03 S4:53", "p(x) = prod_c psi_c", "(1/Z) prod_c psi_c, psi_c >= 0"),
    _row("E2 W 03 S4:56", "psi_c = psi_1 x1 x2", "exp(psi_1 x1 x2)"),
    _row("E3 W 03 S4:69", "E(x) is the free energy", "E is the energy; F(x) = -log sum_h exp(-E)"),
    _row("E4 T! 03 S4:73", "int_x p dx = 1", "sum_x p(x) = 1 for binary x"),
    _row("E5 A 03 S4:74", "Z needs 2^d terms", "2^min(D,H) for an RBM"),
    _row("E6 T 03 S4:77,98,105", "E(x) = -x'Wh - b'x - c'h", "E(x,h)"),
    _row("E7 W 03 S4:100", "b, c model the priors", "unary terms: p(h) differs from sigmoid(c)"),
    _row("E8 T 03 S4:119", "hidden units x_i", "visible units x_i"),
    _row("E9 W 03 S4:129-130", "p(h|x) = sigmoid(Wx+b), p(x|h) = sigmoid(W'h+c)",
         "p(h|x) = sigmoid(W'x+c), p(x|h) = sigmoid(Wh+b)"),
    _row("E10 T! 04 S4:139", "theta = {W, b}", "{W, b, c}"),
    _row("E11 T 04 S4:144,154", "E(x_n|h)", "E(x_n, h)"),
    _row("E12 W 04 S4:169", "-dE(x,h0) - dE(x_k,h_k)", "-dE(x,h0) + dE(x_k,h_k)"),
    _row("E13 W 05 S4:180", "p(x,h1,h2) = p(x|h1) p(h1|h2)", "p(x|h1) p(h1,h2)"),
    _row("E14 W 05 S4:181-182", "a DBN is directed", "its top two layers are an undirected RBM"),
    _row("E15 W 05 S4:183", "an RBM is directional, sigmoid(W'x+c)", "undirected, p(x|h) = sigmoid(Wh+b)"),
    _row("E16 W 05 S4:193", "E = x'W1h1 + h1'W2h2 + h2'W3h3", "E = -(x'W1h1 + h1'W2h2 + h2'W3h3)"),
    _row("E17 W 05 S4:196,208", "p(h2|h1,h3) = sigmoid(W1 h1 + W3 h3)", "sigmoid(W2' h1 + W3 h3)"),
    _row("E18 A 05 S4:216", "mean field or sampling", "mean field for the data, chains for the model"),
    _row("E19 W 02 S4:244", "p(x) = int p(x|theta') dtheta'", "int p(x|theta') p(theta') dtheta'"),
    _row("E20 W 02 S4:257", "p(x|theta) = p(x|theta) p(theta)", "p(x,theta) = p(x|theta) p(theta)"),
    _row("E21 A 08 S4:296,429", "q does not depend on x", "its fitted parameters do"),
    _row("E22 A 02 S4:320-339", "forward KL overestimates the variance",
         "exact on marginals, broad as a joint"),
    _row("E23 W 08 S4:354", "q_j = E[log p(theta|x)]", "q_j = exp E[log p(theta,x)] / const"),
    _row("E24 W 08 S4:364,380", "log E[.] <= E[log .]", "log E[.] >= E[log .]"),
    _row("E25 T! 08 S4:366", "E log p(x,theta) + H(theta)", "E log p(x,theta) + H(q)"),
    _row("E26 W 08 S4:370,388-390", "E log p(x|th) - E log p(th) + E log q",
         "E log p(x|th) + E log p(th) - E log q"),
    _row("E27 W 08 S4:384", "E log p(x,theta) - H(q)", "E log p(x,theta) + H(q)"),
    _row("E28 W 08 S4:392", "E log p(x|theta) - H(q)", "E log p(x|theta) - KL(q||p(theta))"),
    _row("E29 W 08 S4:404", "ELBO = variational free energy", "ELBO = -variational free energy"),
    _row("E30 A 11 S4:418", "log p(x) depends on no parameter", "not on phi; in a VAE it depends on theta"),
    _row("E31 W 08 S4:419", "ELBO > 0 and KL > 0", "KL >= 0; ELBO <= log P(x) <= 0 for discrete x"),
    _row("E32 A 11 S4:451-453", "ELBO of q(theta) = ELBO of q(z|x)",
         "a new model: weights are no longer latent"),
    _row("E33 A 11 S4:464", "the decoder recognises the input",
         "the encoder recognises, the decoder generates"),
    _row("E34 W 11 S4:474-508", "minimise L = E log p(x|z) - KL", "maximise it; the loss is -L"),
    _row("E35 W 11 S4:526-527", "mu_z, sigma_z ~ q(z|x); covariance sigma",
         "(mu, sigma) = net(x); covariance sigma^2"),
    _row("E36 A 11 S4:623,634-642", "z ~ N(mu, sigma)", "z ~ N(mu, sigma^2)"),
    _row("E37 W 11 S4:643-645", "sampling z has high variance, sampling eps low",
         "one law; gradient estimators differ"),
    _row("E38 W 19 S4:807", "1/2 sum log det|J'J|", "1/2 sum log det(J_k'J_k) of the chart, by its sign"),
    _row("E39 A 03 S4:87,107", "F: frequency and free energy", "two names"),
)


def errata_of(lecture: int) -> list[ErrataRow]:
    """Rows that the lecture with this number runs."""
    return [row for row in ERRATA if row.lecture == lecture and row.executable]
