"""Logistic regression by hand: the smallest training that envctl can judge. Needs numpy only."""

import numpy as np

import envctl_record as record

RATE, STEPS = 0.5, 40

random = np.random.RandomState(7)
features = random.normal(size=(256, 8))
labels = (features @ random.normal(size=8) + random.normal(size=256) > 0).astype(np.float64)
weights = np.zeros(8)

record.environment()
record.hyperparameters(rate=RATE)
record.tensor("features", features, input=True)
record.steps(STEPS)
for number in range(1, STEPS + 1):
    probabilities = 1 / (1 + np.exp(-features @ weights))
    loss = -np.mean(labels * np.log(probabilities) + (1 - labels) * np.log(1 - probabilities))
    weights -= RATE * features.T @ (probabilities - labels) / len(labels)
    record.step(number, loss=loss)
record.metric("accuracy", np.mean((probabilities > 0.5) == labels))
record.scores("probability", probabilities[:64])
record.tensor("weights", weights)
