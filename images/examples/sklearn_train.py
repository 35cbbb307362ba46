"""A scikit-learn training under envctl: gradient boosting, one step for each tree."""

import numpy as np
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.metrics import roc_auc_score

import envctl_record as record

TREES = 40

random = np.random.RandomState(7)
features = random.normal(size=(600, 10))
labels = (features[:, 0] * features[:, 1] + features[:, 2] + random.normal(size=600) > 0).astype(int)
train, test = slice(0, 400), slice(400, 600)

record.environment()
model = GradientBoostingClassifier(n_estimators=TREES, random_state=7)
record.hyperparameters(**model.get_params())
record.tensor("features", features, input=True)
record.steps(TREES)
model.fit(features[train], labels[train])
for number, loss in enumerate(model.train_score_, start=1):
    record.step(number, loss=loss)
scores = model.predict_proba(features[test])[:, 1]
record.metric("auc", roc_auc_score(labels[test], scores))
record.scores("probability", scores)
