"""From the rounds' raw figures to medians, ratios and Markdown."""

from statistics import median

BASE = "nginx"


def summary(values):
    return {"median": median(values), "min": min(values), "max": max(values)}


def calm_rounds(rounds, others_max):
    """Those that other programs left alone; all of them if there are none."""
    calm = [r for r in rounds
            if all(run["others"] < others_max for run in r.values())]
    return calm or rounds


def summarise(rounds, key, others_max):
    """{target: {figure: {median, min, max}}} of one scenario. The ratio is
    taken within each round, so that a drift of the machine over the run
    cancels out."""
    rounds = calm_rounds(rounds, others_max)
    result = {}
    for target in rounds[0]:
        runs = [r[target] for r in rounds]
        figures = {name: summary([run[name] for run in runs])
                   for name in runs[0] if isinstance(runs[0][name],
                                                     (int, float))}
        if BASE in rounds[0]:
            figures["ratio"] = summary([r[target][key] / r[BASE][key]
                                        for r in rounds])
        figures["rounds"] = len(rounds)
        result[target] = figures
    return result


def spread(s, digits=1):
    return (f"{s['median']:.{digits}f} ({s['min']:.{digits}f}–"
            f"{s['max']:.{digits}f})")


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |",
             "| --- " + "| ---: " * (len(head) - 1) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def ratios(results, scenarios):
    """The one table that says it all: CPU as a ratio to nginx's."""
    targets = list(next(iter(results.values())))
    rows = []
    for target in targets:
        rows.append([target] + [
            f"{results[s][target]['ratio']['median']:.2f}"
            if "ratio" in results[s][target] else "-" for s in results])
    return table(["CPU against nginx"] + [scenarios[s].title
                                          for s in results], rows)


def details(scenario, result, rounds):
    unit = "chunk" if scenario.per_chunk else "request"
    head = ["", f"CPU µs per {unit}", "against nginx", "proxy busy",
            f"{unit}s/s", "p50 µs", "p99 µs", "errors"]
    rows = []
    for target, f in result.items():
        p50, p99 = (("transit_p50_us", "transit_p99_us")
                    if scenario.per_chunk else ("p50_us", "p99_us"))
        rows.append([
            target, spread(f[scenario.cost], 2),
            spread(f["ratio"], 2) if "ratio" in f else "-",
            f"{f['busy']['median'] * 100:.0f}%",
            f"{f['per_second']['median']:.0f}", spread(f[p50], 0),
            spread(f[p99], 0), f"{f['errors']['max']:.0f}"])
    latency = ("p50 and p99 are the time of a chunk in transit."
               if scenario.per_chunk else "")
    counted = next(iter(result.values()))["rounds"]
    note = (f" Rounds that count: {counted} of {rounds}, the others were "
            "disturbed by other programs." if counted < rounds else "")
    return (f"### {scenario.title}\n\n{scenario.text} {latency}".rstrip() +
            note +
            "\n\n" + table(head, rows))


def memory(figures, streams):
    rows = []
    for target, f in figures.items():
        rows.append([target] + [
            f"{f[when]['worker'] / 1024:.1f}" +
            (f" ({f[when]['all'] / 1024:.1f})"
             if f[when]["all"] != f[when]["worker"] else "")
            for when in ("idle", "streams", "after") if when in f])
    head = ["VmRSS in MB", "idle", f"{streams} open streams"]
    if any("after" in f for f in figures.values()):
        head.append("after the run")
    return ("### Memory\n\nThe worker process; with the master process, "
            "where there is one, in brackets.\n\n" + table(head, rows))
