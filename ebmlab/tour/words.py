"""What the tour's page says, and how it looks."""

__all__ = ["AFTER", "DIGITS", "LEAD", "METHOD", "STYLE", "TABLE", "WORDS"]

STYLE = """
:root { color-scheme: light dark; --ink: #1d2433; --soft: #46506a; --paper: #fff;
  --line: #e0e4ec; --link: #0b5cad; --note: #8a3b12; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7ee; --soft: #aab2c4; --paper: #15181f;
  --line: #333a48; --link: #7db8f5; --note: #f0a878; } }
body { font: 17px/1.6 Charter, Georgia, serif; color: var(--ink); background: var(--paper);
  margin: 0; }
main { max-width: 44rem; margin: 0 auto; padding: 2.5rem 1.2rem 4rem; }
h1 { font-size: 2.1rem; line-height: 1.15; margin: 0 0 .6rem; }
h2 { font-size: 1.4rem; line-height: 1.25; margin: 3rem 0 .6rem; }
h3 { font-size: 1.1rem; margin: 1.8rem 0 .4rem; }
p.lead { font-size: 1.15rem; } a { color: var(--link); }
figure { margin: 1rem 0; }
img { display: block; width: 100%; height: auto; background: #fff; border-radius: 6px; }
figcaption { font-size: .95rem; color: var(--soft); margin-top: .6rem; }
.scroll { overflow-x: auto; } .digits img { min-width: 36rem; }
table { border-collapse: collapse; font: 14px/1.4 system-ui, sans-serif; width: 100%;
  font-variant-numeric: tabular-nums; }
th, td { padding: .45rem .5rem; text-align: right; border-bottom: 1px solid var(--line);
  vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; min-width: 7.5rem; }
th { font-weight: 600; color: var(--soft); }
dt { font-weight: 600; margin-top: .8rem; } dd { margin: 0; }
pre { background: color-mix(in srgb, var(--ink) 7%, transparent); padding: .8rem 1rem;
  border-radius: 6px; overflow-x: auto; } code { font-size: .85em; }
.note { color: var(--note); font-weight: 600; }
footer { margin-top: 3rem; font-size: .85rem; color: var(--soft); }
"""

LEAD = """<p class="lead">Some questions have more than one right answer. A program that may give
only one will give the average of them, and the average can be wrong. This page shows that
failure, and another way to learn that avoids it. Everything on it was computed just now, on your
machine.</p>"""

WORDS = """<h2>Another way: give every answer a score</h2>
<p>Instead of one answer, learn a score for each pair of x and y. The score is called the
<em>energy</em>, E(x, y): a single number, low where y fits x and high where it does not. Several
y can have low energy at the same x, so nothing forces an average. To answer, look for the y of
low energy.</p>
<p>How can an energy be learned? Pushing it down on the data is easy; the question is what keeps
it high elsewhere. Below are six <em>families</em>, six ways to build and train one, all on the
same pairs. Some fail, each in its own way.</p>"""

TABLE = """<h2>The same in numbers</h2>
<p><em>NLL above the truth</em> says how surprised the model is by new pairs, compared with the
best possible, which is 0 (NLL is negative log-likelihood, in <em>nats</em>, its unit).
<em>Right answers found</em> is the share of the three right y that are dips, at x near 0.5;
<em>answers that are right</em> is the share of all dips that are right, over all x from 0 to 1.
1 is best for both. <em>T</em>, the temperature, is what the energy is divided by to turn it into
probabilities, here and in the picture above. The last two columns tell of a collapse: the spread
of the codes at the end, and in how many directions they spread.</p>"""

DIGITS = {
    "best_of_codes_error": "squared error of the best of eight completions",
    "regression_error": "squared error of regression",
    "knn_pixels": "share of digits recognized by the pixels of the upper half",
    "knn_random_encoder": "share of digits recognized by an untrained code",
    "knn_codes": "share of digits recognized by the trained code",
}

AFTER = """<h2>What you have seen: three parts</h2>
<dl>
<dt>The energy</dt><dd>The score of a pair: one network for x and y together, or the distance
between two codes, or between y and a prediction.</dd>
<dt>z</dt><dd>What is hidden: which of the valleys, which lower half. It is chosen (the lowest
energy) or averaged over (at a temperature).</dd>
<dt>The objective</dt><dd>What training lowers: the energy on the data, and something that keeps
it high elsewhere: wrong pairs, or codes that must keep their spread.</dd>
</dl>
<p>A method is a choice of these three. ebmlab lets you combine them freely.</p>
<h2>Go on</h2>
<p><a href="explorer.html">Open the explorer</a>, which lies beside this page: move points and
temperature, and watch energies take shape. Then, in a terminal:</p>
<pre><code>ebmlab methods
ebmlab train simclr --data digits
ebmlab evaluate runs/simclr-digits
ebmlab plot runs/simclr-digits</code></pre>"""

METHOD = """<h2>How the numbers are made</h2>
<p>x = y + 0.3 sin 2πy + noise, with y drawn evenly from 0 to 1. For each x, exp(-E/T) is
normalized over y on a grid, which makes the likelihood exact. T is fitted on validation pairs,
which training did not see, unless the energy has one of its own (T = 0.2);
the likelihood measured on test pairs, and that of the true density subtracted. The collapsed
embedding is judged and drawn at the T of the one with VICReg, since a fit would only magnify what
is left of it. Dips are the local minima of E(x, ·) within 5 T of the lowest; one is right within
0.05 of a right answer. Right answers found: 41 x from 0.45 to 0.55, against the noise-free
answers. Answers that are right: 101 x from 0 to 1, against the dips of the true -log p(y | x)
within 5 nats of its lowest. Codes are those of held-out x. A digit is
recognized by its nearest neighbors among the training digits. On the digits, squared errors are
sums over the 32 pixels asked for; the energy under a completion is that of a joint embedding of
the two halves, trained with VICReg.</p>"""
