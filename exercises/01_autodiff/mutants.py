import numpy as np

from minigen.grading import mutant


@mutant("softmax_vjp", feedback="This is the rule of log_softmax: there the sum of g is weighted by y, for softmax "
                                "the cotangent itself is.", at_most=0.2)
def log_softmax_rule(y, g, axis=-1):
    return g - y * np.sum(g, axis=axis, keepdims=True)


@mutant("softmax_vjp", feedback="Only dy_i/dx_i is used, as for a sigmoid; but every x_j acts on every y_i through "
                                "the common sum.", at_most=0.2)
def diagonal_only(y, g, axis=-1):
    return g * y * (1 - y)


@mutant("softmax_vjp", feedback="The cotangent was ignored: with g = 1 the answer is zero, because the sum of softmax "
                                "never changes; for another g it is not.")
def cotangent_ignored(y, g, axis=-1):
    return y * (1 - np.sum(y, axis=axis, keepdims=True))


@mutant("softmax_vjp", feedback="The sum runs over the whole array; each slice along the axis has its own.")
def sum_over_everything(y, g, axis=-1):
    return y * (g - np.sum(g * y))


@mutant("softmax_vjp", feedback="The argument `axis` was ignored: the sum runs along the last axis, whatever was "
                                "asked.", at_most=0.6)
def axis_ignored(y, g, axis=-1):
    return y * (g - np.sum(g * y, axis=-1, keepdims=True))


@mutant("softmax_vjp", feedback="A mean stands in the place of the sum: g is weighted by y, and the weights sum to 1 "
                                "already.")
def mean_for_sum(y, g, axis=-1):
    return y * (g - np.mean(g * y, axis=axis, keepdims=True))


@mutant("softmax_vjp", feedback="A division by y makes 0/0 where softmax is saturated; nothing need be divided.",
        at_most=0.8)
def divided_by_y(y, g, axis=-1):
    with np.errstate(invalid="ignore"):
        return (g * y**2 - np.sum(g * y, axis=axis, keepdims=True) * y**2) / y


@mutant("matmul_vjp", feedback="The factors were not transposed: what moves to the other side of an inner product is "
                               "transposed.")
def not_transposed(g, A, B):
    def summed(cotangent, shape):
        lead = cotangent.ndim - len(shape)
        copied = [i for i, n in enumerate(shape, lead) if n == 1 and cotangent.shape[i] > 1]
        return cotangent.sum(axis=(*range(lead), *copied)).reshape(shape)

    return summed(g @ B, A.shape), summed(A @ g, B.shape)


@mutant("matmul_vjp", feedback="The cotangent of a matrix that was broadcast has the shape of the stack: sum over its "
                               "uses.", at_most=0.5)
def sum_forgotten(g, A, B):
    return g @ np.swapaxes(B, -1, -2), np.swapaxes(A, -1, -2) @ g


@mutant("matmul_vjp", feedback="The uses of a broadcast matrix were averaged; the chain rule adds them.", at_most=0.5)
def mean_over_the_stack(g, A, B):
    def averaged(cotangent, shape):
        lead = cotangent.ndim - len(shape)
        copied = [i for i, n in enumerate(shape, lead) if n == 1 and cotangent.shape[i] > 1]
        return cotangent.mean(axis=(*range(lead), *copied)).reshape(shape)

    return averaged(g @ np.swapaxes(B, -1, -2), A.shape), averaged(np.swapaxes(A, -1, -2) @ g, B.shape)


@mutant("matmul_vjp", feedback="The order of the factors is turned round: g stands where the matrix stood that it "
                               "came from.")
def factors_exchanged(g, A, B):
    def summed(cotangent, shape):
        lead = cotangent.ndim - len(shape)
        copied = [i for i, n in enumerate(shape, lead) if n == 1 and cotangent.shape[i] > 1]
        return cotangent.sum(axis=(*range(lead), *copied)).reshape(shape)

    return summed(np.swapaxes(B, -1, -2) @ g, A.shape), summed(g @ np.swapaxes(A, -1, -2), B.shape)


@mutant("matmul_vjp", feedback="The cotangents of a whole stack were summed, though only one factor was broadcast: a "
                               "matrix that was used once keeps its own.", at_most=0.25)
def stack_always_summed(g, A, B):
    def summed(cotangent):
        return cotangent.sum(axis=tuple(range(cotangent.ndim - 2)))

    return summed(g @ np.swapaxes(B, -1, -2)), summed(np.swapaxes(A, -1, -2) @ g)


@mutant("matmul_vjp", feedback="Axes that an argument lacks are summed, but not those of length 1 that were "
                               "stretched.", at_most=0.75)
def length_one_forgotten(g, A, B):
    def summed(cotangent, shape):
        return cotangent.sum(axis=tuple(range(cotangent.ndim - len(shape))))

    return summed(g @ np.swapaxes(B, -1, -2), A.shape), summed(np.swapaxes(A, -1, -2) @ g, B.shape)


@mutant("reverse_pass", feedback="A value that is used twice keeps only the last cotangent it was sent: add them up.",
        at_most=0.1)
def last_one_wins(links, output):
    waiting = [0] * len(links)
    for made_from in links:
        for j, _ in made_from:
            waiting[j] += 1
    ready = [k for k, users in enumerate(waiting) if users == 0]
    cotangent = np.zeros(len(links))
    cotangent[output] = 1.0
    while ready:
        k = ready.pop()
        for j, slope in links[k]:
            cotangent[j] = slope * cotangent[k]
            waiting[j] -= 1
            if waiting[j] == 0:
                ready.append(j)
    return cotangent


@mutant("reverse_pass", feedback="Values are visited by falling number; the numbers say nothing about the order of "
                                 "computation.", at_most=0.5)
def by_falling_number(links, output):
    cotangent = np.zeros(len(links))
    cotangent[output] = 1.0
    for k in reversed(range(len(links))):
        for j, slope in links[k]:
            cotangent[j] += slope * cotangent[k]
    return cotangent


@mutant("reverse_pass", feedback="A cotangent is passed on as soon as the first part of it has come; wait until every "
                                 "user has sent its part.", at_most=0.5)
def first_come_first_served(links, output):
    cotangent = np.zeros(len(links))
    cotangent[output] = 1.0
    line, seen = [output], {output}
    for k in line:
        for j, slope in links[k]:
            cotangent[j] += slope * cotangent[k]
            if j not in seen:
                seen.add(j)
                line.append(j)
    return cotangent


@mutant("reverse_pass", feedback="Two links from one step to one value were merged into one, as a dict does: u * u "
                                 "has two.", at_most=0.8)
def links_merged(links, output):
    links = [list(dict(made_from).items()) for made_from in links]
    waiting = [0] * len(links)
    for made_from in links:
        for j, _ in made_from:
            waiting[j] += 1
    ready = [k for k, users in enumerate(waiting) if users == 0]
    cotangent = np.zeros(len(links))
    cotangent[output] = 1.0
    while ready:
        k = ready.pop()
        for j, slope in links[k]:
            cotangent[j] += slope * cotangent[k]
            waiting[j] -= 1
            if waiting[j] == 0:
                ready.append(j)
    return cotangent


@mutant("reverse_pass", feedback="Every last value of the program starts with 1, as if their sum were the output; "
                                 "only the output does.", at_most=0.85)
def every_end_starts_with_one(links, output):
    waiting = [0] * len(links)
    for made_from in links:
        for j, _ in made_from:
            waiting[j] += 1
    ready = [k for k, users in enumerate(waiting) if users == 0]
    cotangent = np.array([float(users == 0) for users in waiting])
    while ready:
        k = ready.pop()
        for j, slope in links[k]:
            cotangent[j] += slope * cotangent[k]
            waiting[j] -= 1
            if waiting[j] == 0:
                ready.append(j)
    return cotangent


@mutant("reverse_pass", feedback="Slopes along a path are added; the chain rule multiplies them.")
def slopes_added(links, output):
    waiting = [0] * len(links)
    for made_from in links:
        for j, _ in made_from:
            waiting[j] += 1
    ready = [k for k, users in enumerate(waiting) if users == 0]
    cotangent = np.zeros(len(links))
    cotangent[output] = 1.0
    while ready:
        k = ready.pop()
        for j, slope in links[k]:
            cotangent[j] += slope + cotangent[k]
            waiting[j] -= 1
            if waiting[j] == 0:
                ready.append(j)
    return cotangent


@mutant("accepts", feedback="A cotangent of ones is blind: sum(softmax(x)) never changes and sum(x.T) = sum(x). Draw "
                            "it at random.", at_most=0.75)
def ones_for_cotangent(f, pullback, x, rng):
    y, h = f(x), 1e-5
    for _ in range(3):
        g, v = np.ones(y.shape), rng.normal(size=x.shape) * np.maximum(1, np.abs(x))
        terms = pullback(g) * v
        by_differences = np.sum(g * (f(x + h * v) - f(x - h * v))) / (2 * h)
        noise = 1e-9 * np.linalg.norm(g * y)
        if abs(by_differences - np.sum(terms)) > 1e-6 * np.linalg.norm(terms) + noise:
            return False
    return True


@mutant("accepts", feedback="The tolerance is so loose that a slip of 0.1 % passes: central differences in float64 "
                            "are good to about nine digits.", at_most=0.5)
def loose(f, pullback, x, rng):
    y, h = f(x), 1e-5
    for _ in range(3):
        g, v = rng.normal(size=y.shape), rng.normal(size=x.shape) * np.maximum(1, np.abs(x))
        terms = pullback(g) * v
        by_differences = np.sum(g * (f(x + h * v) - f(x - h * v))) / (2 * h)
        if abs(by_differences - np.sum(terms)) > 1e-2 * np.linalg.norm(terms):
            return False
    return True


@mutant("accepts", feedback="The tolerance is absolute: where f is tiny, so is every slip, and all of them pass.",
        at_most=0.85)
def absolute_tolerance(f, pullback, x, rng):
    y, h = f(x), 1e-5
    for _ in range(3):
        g, v = rng.normal(size=y.shape), rng.normal(size=x.shape) * np.maximum(1, np.abs(x))
        by_differences = np.sum(g * (f(x + h * v) - f(x - h * v))) / (2 * h)
        if abs(by_differences - np.sum(pullback(g) * v)) > 1e-7:
            return False
    return True


@mutant("accepts", feedback="The step does not grow with x: where x is of size 1e6, a step of 1e-5 changes f by no "
                            "more than rounding does.", at_most=0.85)
def absolute_step(f, pullback, x, rng):
    y, h = f(x), 1e-5
    for _ in range(3):
        g, v = rng.normal(size=y.shape), rng.normal(size=x.shape)
        terms = pullback(g) * v
        by_differences = np.sum(g * (f(x + h * v) - f(x - h * v))) / (2 * h)
        if abs(by_differences - np.sum(terms)) > 1e-6 * np.linalg.norm(terms):
            return False
    return True


@mutant("accepts", feedback="One-sided differences are wrong by h |f''| / 2, which refuses right pullbacks; take them "
                            "from both sides.", at_most=0.5)
def one_sided(f, pullback, x, rng):
    y, h = f(x), 1e-5
    for _ in range(3):
        g, v = rng.normal(size=y.shape), rng.normal(size=x.shape) * np.maximum(1, np.abs(x))
        terms = pullback(g) * v
        by_differences = np.sum(g * (f(x + h * v) - y)) / h
        if abs(by_differences - np.sum(terms)) > 1e-6 * np.linalg.norm(terms):
            return False
    return True


@mutant("accepts", feedback="Only the first entry of x is moved: a slip in any other goes unseen.", at_most=0.5)
def first_entry_only(f, pullback, x, rng):
    y, h = f(x), 1e-5
    for _ in range(3):
        g, v = rng.normal(size=y.shape), np.zeros(x.shape)
        v.flat[0] = max(1, abs(x.flat[0]))
        terms = pullback(g) * v
        by_differences = np.sum(g * (f(x + h * v) - f(x - h * v))) / (2 * h)
        noise = 1e-9 * np.linalg.norm(g * y)
        if abs(by_differences - np.sum(terms)) > 1e-6 * np.linalg.norm(terms) + noise:
            return False
    return True


@mutant("accepts", feedback="Everything is accepted: compare the pullback with differences of f.")
def trusting(f, pullback, x, rng):
    return True


@mutant("worth_computing", feedback="Dead code is gone, repeated work is not: equal values are computed each time.",
        at_most=0.45)
def nothing_shared(program, results):
    kept = {k for k, (operation, _) in enumerate(program) if operation == "draw"} | set(results)
    for k in reversed(range(len(program))):
        if k in kept:
            kept.update(program[k][1])
    return np.array(sorted(kept), dtype=int)


@mutant("worth_computing", feedback="Repeated work is gone, dead code is not: values are computed that no result "
                                    "needs.", at_most=0.45)
def nothing_dead(program, results):
    first, stands_for = {}, []
    for k, (operation, arguments) in enumerate(program):
        made = k if operation == "draw" else (operation, *(stands_for[j] for j in arguments))
        stands_for.append(first.setdefault(made, k))
    return np.array(sorted(set(stands_for)), dtype=int)


@mutant("worth_computing", feedback="Two draws were taken for equal values because they look alike; each is another "
                                    "number.", at_most=0.78)
def draws_shared(program, results):
    first, stands_for = {}, []
    for k, (operation, arguments) in enumerate(program):
        stands_for.append(first.setdefault((operation, *(stands_for[j] for j in arguments)), k))
    kept = {stands_for[k] for k, (operation, _) in enumerate(program) if operation == "draw"}
    kept |= {stands_for[k] for k in results}
    for k in reversed(range(len(program))):
        if k in kept:
            kept.update(stands_for[j] for j in program[k][1])
    return np.array(sorted(kept), dtype=int)


@mutant("worth_computing", feedback="A draw that nobody uses was left out; the draws after it are then other numbers.",
        at_most=0.78)
def draws_dropped(program, results):
    first, stands_for = {}, []
    for k, (operation, arguments) in enumerate(program):
        made = k if operation == "draw" else (operation, *(stands_for[j] for j in arguments))
        stands_for.append(first.setdefault(made, k))
    kept = {stands_for[k] for k in results}
    for k in reversed(range(len(program))):
        if k in kept:
            kept.update(stands_for[j] for j in program[k][1])
    return np.array(sorted(kept), dtype=int)


@mutant("worth_computing", feedback="Arguments were compared by their numbers as written: a value made from an equal "
                                    "one goes unnoticed.", at_most=0.67)
def numbers_as_written(program, results):
    first, stands_for = {}, []
    for k, (operation, arguments) in enumerate(program):
        stands_for.append(first.setdefault(k if operation == "draw" else (operation, *arguments), k))
    kept = {k for k, (operation, _) in enumerate(program) if operation == "draw"} | {stands_for[k] for k in results}
    for k in reversed(range(len(program))):
        if k in kept:
            kept.update(stands_for[j] for j in program[k][1])
    return np.array(sorted(kept), dtype=int)


@mutant("worth_computing", feedback="x - y and y - x were taken for equal: the order of arguments matters.",
        at_most=0.89)
def any_order(program, results):
    first, stands_for = {}, []
    for k, (operation, arguments) in enumerate(program):
        made = k if operation == "draw" else (operation, *sorted(stands_for[j] for j in arguments))
        stands_for.append(first.setdefault(made, k))
    kept = {k for k, (operation, _) in enumerate(program) if operation == "draw"} | {stands_for[k] for k in results}
    for k in reversed(range(len(program))):
        if k in kept:
            kept.update(stands_for[j] for j in program[k][1])
    return np.array(sorted(kept), dtype=int)


@mutant("worth_computing", feedback="Only values that nobody reads were left out; what dead values alone read is dead, "
                                    "too.", at_most=0.89)
def one_round(program, results):
    first, stands_for = {}, []
    for k, (operation, arguments) in enumerate(program):
        made = k if operation == "draw" else (operation, *(stands_for[j] for j in arguments))
        stands_for.append(first.setdefault(made, k))
    kept = {k for k, (operation, _) in enumerate(program) if operation == "draw"} | {stands_for[k] for k in results}
    for k, stand_in in enumerate(stands_for):
        if k == stand_in:
            kept.update(stands_for[j] for j in program[k][1])
    return np.array(sorted(kept), dtype=int)


@mutant("worth_computing", feedback="Dead code went before repeated work: the first of two equal values was gone when "
                                    "the second was found to be equal to it.", at_most=0.89)
def dead_first(program, results):
    alive = {k for k, (operation, _) in enumerate(program) if operation == "draw"} | set(results)
    for k in reversed(range(len(program))):
        if k in alive:
            alive.update(program[k][1])
    first, stands_for = {}, {}
    for k in sorted(alive):
        operation, arguments = program[k]
        made = k if operation == "draw" else (operation, *(stands_for[j] for j in arguments))
        stands_for[k] = first.setdefault(made, k)
    return np.array(sorted(set(stands_for.values())), dtype=int)
