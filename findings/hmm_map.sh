#!/usr/bin/env bash
# hmmlearn names the first value that decode() returns log_prob: "log probability of the produced state sequence". With
# algorithm="viterbi" it is. With algorithm="map" it is the sum of the posteriors of the chosen states, neither a logarithm
# nor a probability: it grows with the length and is positive. Who compares models or paths by it prefers the longer one.
# A good guess: the joint log probability of the path that is returned, here the same path as Viterbi's, so -4.43.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check hmmlearn==0.3.3
"$folder/venv/bin/python" -W ignore - <<'PY'
import importlib.metadata, sys
import numpy as np
from hmmlearn.hmm import CategoricalHMM

model = CategoricalHMM(n_components=2, init_params="")
model.startprob_ = np.array([0.5, 0.5])
model.transmat_ = np.array([[0.9, 0.1], [0.1, 0.9]])
model.emissionprob_ = np.array([[0.8, 0.2], [0.2, 0.8]])
seen = np.array([[0], [0], [1], [1], [1]])
viterbi, path = model.decode(seen, algorithm="viterbi")
score, same = model.decode(seen, algorithm="map")
posteriors = model.predict_proba(seen).max(axis=1).sum()
print("hmmlearn", importlib.metadata.version("hmmlearn"))
print(f"expected: the path {path.tolist()} has log probability {viterbi:.4f} by either algorithm")
print(f"seen:     map gives {score:.4f} for {same.tolist()}; the posteriors of these states add up to {posteriors:.4f}")
sys.exit(0 if path.tolist() == same.tolist() and viterbi < 0 < score and abs(score - posteriors) < 1e-9 else 1)
PY
