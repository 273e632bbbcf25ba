#!/usr/bin/env python3
"""The page of `doorward-bench load --html FILE`: charts and tables in one file that needs no other.

usage: page.py FILE < FIGURES    FIGURES as --json writes them
       page.py --check           can it draw?
"""
import html
import io
import json
import sys

try:
    import matplotlib
    matplotlib.use("svg")
    from matplotlib import pyplot
    from matplotlib.ticker import FuncFormatter
except ImportError:
    sys.exit("doorward-bench: --html draws with matplotlib, which this python3 has not: "
             "python3 -m venv NAME; NAME/bin/pip install matplotlib; PATH=NAME/bin:$PATH")

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #1c2430 }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid #dde2e8 }
th:first-child, td:first-child { text-align: left }
svg { max-width: 100%; height: auto } .bad { color: #b00020; font-weight: 600 } .good { color: #1b6e3c }
"""
OUTCOMES = {"ok": "#2f7d5b", "shed": "#c9a227", "4xx": "#d9822b", "5xx": "#b00020", "timeout": "#7b2d8b",
            "broken": "#5b1a1a", "unsent": "#8a94a0"}
COLUMNS = {"count": "count", "per_second": "a second", "p50_ms": "p50 ms", "p90_ms": "p90 ms", "p99_ms": "p99 ms",
           "p99_9_ms": "p99.9 ms", "max_ms": "max ms"}


def drawn(figure):
    """The figure as SVG text for the middle of a page: without the XML's own head."""
    file = io.StringIO()
    figure.savefig(file, format="svg", bbox_inches="tight", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    pyplot.close(figure)
    text = file.getvalue()
    return text[text.index("<svg"):]


def percentile_chart(figures):
    """Latency against how rare it is: the right end is one request in so many."""
    figure, axes = pyplot.subplots(figsize=(9, 4))
    for line in figures["routes"]:
        if line["outcome"] == "ok":
            points = [(1 / (1 - p / 100), ms) for p, ms in line["percentiles"] if p < 100]
            axes.plot(*zip(*points), label=line["route"]) if points else None
    axes.set(xscale="log", yscale="log", xlabel="percentile", ylabel="ms")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{100 - 100 / x:.6g} %"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    axes.grid(alpha=.3)
    axes.legend()
    return drawn(figure)


def time_chart(figures):
    """Requests a second by outcome, and the latencies, by when the requests were due."""
    rows = figures["intervals"]
    at = [row["from_s"] for row in rows]
    width = at[1] - at[0] if len(at) > 1 else 1
    figure, (rates, times) = pyplot.subplots(2, 1, figsize=(9, 6), sharex=True)
    seen = [name for name in OUTCOMES if any(name in row["outcomes"] for row in rows)]
    edges = [*at, at[-1] + width]  # the last interval ends, too
    steps = lambda value: [value(row) for row in [*rows, rows[-1]]]
    rates.stackplot(edges, [steps(lambda row: row["outcomes"].get(name, 0) / width) for name in seen],
                    labels=seen, colors=[OUTCOMES[name] for name in seen], step="post")
    rates.set(ylabel="requests a second")
    rates.legend(loc="lower right")
    for name, label in (("p50_ms", "p50"), ("p99_ms", "p99"), ("max_ms", "max")):
        times.step(edges, steps(lambda row: row.get(name)), where="post", label=label)
    times.set(xlabel="seconds", ylabel="ms", yscale="log")
    times.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    for axes in (rates, times):
        axes.grid(alpha=.3)
    times.legend(loc="lower right")
    return drawn(figure)


def cell(value):
    return html.escape(f"{value:,.3f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int)
                       else "" if value is None else str(value))


def table(heads, rows):
    head = "".join(f"<th>{html.escape(text)}</th>" for text in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell(value)}</td>" for value in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def route_table(figures):
    rows = [(line["route"], line["outcome"], *(line.get(key) for key in COLUMNS)) for line in figures["routes"]]
    rows.append(("all", "", *(figures["all"].get(key) for key in COLUMNS)))
    return table(["route", "outcome", *COLUMNS.values()], rows)


def step_table(figures):
    steps = figures["steps"]
    if len(steps) < 2:
        return ""
    rows = [(step["rate"], step["errors"], *(step.get(key) for key in COLUMNS)) for step in steps]
    return "<h2>Steps</h2>" + table(["rate", "errors", *COLUMNS.values()], rows)


def verdicts(figures):
    text = ""
    if figures["generator"]["was_the_limit"]:
        text += f'<p class="bad">The generator was the limit: {html.escape(figures["generator"]["why"])}</p>'
    for clause in figures["slo"]:
        seen = "nothing of it was measured" if clause["actual"] is None else f"{clause['actual']:.3f} {clause['unit']}"
        kind, word = ("good", "holds") if clause["holds"] else ("bad", "does not hold")
        text += f'<p class="{kind}">{html.escape(clause["clause"])} {word}: {html.escape(seen)}</p>'
    return text


def page(figures):
    plan = figures["plan"]
    title = f"{plan['url']}: {plan['rate']} a second, {plan['mix']}"
    about = table(["", ""], [*plan.items(), ("started", figures["started"]), ("seconds measured", figures["seconds"]),
                             ("errors", figures["all"]["errors"])])
    charts = "<h2>Latency by percentile</h2>" + percentile_chart(figures) + \
        "<h2>Over time</h2>" + time_chart(figures) if figures["intervals"] else "<p>Nothing was measured.</p>"
    return f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>
<style>{STYLE}</style><h1>{html.escape(title)}</h1>
<p>Latencies count from when a request was due.</p>{verdicts(figures)}{route_table(figures)}{step_table(figures)}
{charts}<h2>The run</h2>{about}
<p>doorward-bench {html.escape(figures["doorward_bench"])}</p></html>
"""


def main():
    if sys.argv[1:] == ["--check"]:
        return
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        with open(sys.argv[1], "w", encoding="utf-8") as file:
            file.write(page(json.load(sys.stdin)))
    except OSError as error:
        sys.exit(f"doorward-bench: --html: {error}")


if __name__ == "__main__":
    main()
