"""The risk model: one small network per modality, and a fusion of what they found into one score.

Every operation is smooth (SiLU, GELU, average pooling), because a kink would magnify rounding noise, and no parameter has
a gradient that is zero by construction, because Adam would turn the noise in it into real steps. Defaults of the framework
are left alone on purpose: a framework that changed one of them must be noticed.

Shapes below: B applications, n accounts, T tokens, WIDTH features.
"""

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from . import data
from .draws import MaskStream

WIDTH = 32
HEADS = 4
PARTS = ("text", "sequence", "graph", "document", "declared")
"""What a score is made of, in the order in which the fusion sees it."""


class Dropout(nn.Layer):
    """Dropout whose masks come from the mask stream rather than from the framework's generator."""

    def __init__(self, masks: MaskStream):
        super().__init__()
        self.masks = masks

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        kept = paddle.to_tensor(self.masks.draw(x.shape)).astype(x.dtype)
        return x * kept / (1 - self.masks.rate)


class SelfAttention(nn.Layer):
    """Multi-head self-attention over [B, T, WIDTH]; it has no input bias, as a bias of the keys changes nothing."""

    def __init__(self):
        super().__init__()
        self.inputs = nn.Linear(WIDTH, 3 * WIDTH, bias_attr=False)
        self.output = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        """`hidden` [B, 1, 1, T] is added to the attention scores: 0, or very negative where there is no token."""
        query, key, value = (self._split(part) for part in paddle.split(self.inputs(x), 3, axis=-1))
        scores = paddle.matmul(query, key, transpose_y=True) * (WIDTH // HEADS) ** -0.5
        mixed = paddle.matmul(F.softmax(scores + hidden, axis=-1), value)
        return self.output(mixed.transpose([0, 2, 1, 3]).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        """[B, T, WIDTH] to [B, HEADS, T, WIDTH / HEADS]."""
        return x.reshape([0, 0, HEADS, WIDTH // HEADS]).transpose([0, 2, 1, 3])


class TransformerBlock(nn.Layer):
    """One transformer encoder block over [B, T, WIDTH]: attention, then two dense layers, each added and normalised."""

    def __init__(self, masks: MaskStream):
        super().__init__()
        self.attention = SelfAttention()
        self.attention_norm = nn.LayerNorm(WIDTH)
        self.widen = nn.Linear(WIDTH, 2 * WIDTH)
        self.narrow = nn.Linear(2 * WIDTH, WIDTH)
        self.dense_norm = nn.LayerNorm(WIDTH)
        self.dropout = Dropout(masks)

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        x = self.attention_norm(x + self.dropout(self.attention(x, hidden)))
        return self.dense_norm(x + self.dropout(self.narrow(F.gelu(self.widen(x)))))


class TextEncoder(nn.Layer):
    """The stated purpose: tokens [B, T] to [B, WIDTH]; an ERNIE in small."""

    def __init__(self, masks: MaskStream):
        super().__init__()
        self.tokens = nn.Embedding(len(data.VOCABULARY), WIDTH)
        self.positions = self.create_parameter([data.TOKENS, WIDTH])
        self.blocks = nn.LayerList([TransformerBlock(masks) for _ in range(2)])

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.tokens(tokens) + self.positions
        present = (tokens != 0).astype(x.dtype)
        hidden = (1 - present).unsqueeze([1, 2]) * -1e4
        for block in self.blocks:
            x = block(x, hidden)
        return (x * present.unsqueeze(-1)).sum(1) / present.sum(1, keepdim=True)


class SequenceEncoder(nn.Layer):
    """Two years of transactions: [B, MONTHS, TRANSACTION_FEATURES] to [B, WIDTH], attending to the telling months."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(data.TRANSACTION_FEATURES, WIDTH)
        self.relevance = nn.Linear(WIDTH, 1, bias_attr=False)

    def forward(self, months: Tensor) -> Tensor:
        states, _ = self.lstm(months)
        weights = F.softmax(self.relevance(paddle.tanh(states)), axis=1)
        return (states * weights).sum(1)


class MessagePassing(nn.Layer):
    """An account [n, features] beside the mean of those it shares a device with: to [n, WIDTH]."""

    def __init__(self, features: int):
        super().__init__()
        self.own = nn.Linear(features, WIDTH)
        self.neighbours = nn.Linear(features, WIDTH)

    def forward(self, accounts: Tensor, edge_from: Tensor, edge_to: Tensor) -> Tensor:
        mean = paddle.geometric.send_u_recv(accounts, edge_from, edge_to, reduce_op="mean")
        return F.silu(self.own(accounts) + self.neighbours(mean))


class GraphEncoder(nn.Layer):
    """Accounts that share devices: [n, ACCOUNT_FEATURES] to [n, WIDTH], two hops of messages."""

    def __init__(self):
        super().__init__()
        self.near = MessagePassing(data.ACCOUNT_FEATURES)
        self.far = MessagePassing(WIDTH)

    def forward(self, accounts: Tensor, edge_from: Tensor, edge_to: Tensor) -> Tensor:
        return self.far(self.near(accounts, edge_from, edge_to), edge_from, edge_to)


class DocumentReader(nn.Layer):
    """The scanned amount: reads its digits, and says what was read.

    A scan [B, 1, DOCUMENT_HEIGHT, DOCUMENT_WIDTH] becomes CTC logits [B, COLUMNS, CLASSES] over the columns of the scan,
    and from these a representation [B, WIDTH].
    """

    COLUMNS = data.DOCUMENT_WIDTH // 2
    CLASSES = 11  # CTC's blank and ten digits

    def __init__(self):
        super().__init__()
        self.strokes = nn.Conv2D(1, 12, 3, padding=1, bias_attr=False)
        self.strokes_norm = nn.BatchNorm2D(12)
        self.shapes = nn.Conv2D(12, 24, 3, padding=1, bias_attr=False)
        self.shapes_norm = nn.BatchNorm2D(24)
        self.classify = nn.Linear(24 * data.DOCUMENT_HEIGHT // 4, self.CLASSES)
        self.summary = nn.Linear(self.COLUMNS * self.CLASSES, WIDTH)

    def forward(self, documents: Tensor) -> tuple[Tensor, Tensor]:
        x = F.avg_pool2d(F.silu(self.strokes_norm(self.strokes(documents))), 2)
        x = F.avg_pool2d(F.silu(self.shapes_norm(self.shapes(x))), (2, 1))
        logits = self.classify(x.transpose([0, 3, 1, 2]).flatten(2))
        return logits, F.silu(self.summary(F.softmax(logits, axis=-1).flatten(1)))


class Fusion(nn.Layer):
    """The composite risk: the parts side by side [B, 4 WIDTH + 1] to the log-odds of default [B]."""

    def __init__(self, masks: MaskStream):
        super().__init__()
        self.combine = nn.Linear(4 * WIDTH + 1, 2 * WIDTH)
        self.score = nn.Linear(2 * WIDTH, 1)
        self.dropout = Dropout(masks)

    def forward(self, parts: dict[str, Tensor]) -> Tensor:
        together = paddle.concat([parts[name] for name in PARTS], axis=-1)
        return self.score(self.dropout(F.silu(self.combine(together)))).squeeze(-1)


class RiskModel(nn.Layer):
    """A loan application, all modalities, to its log-odds of default."""

    def __init__(self, masks: MaskStream):
        super().__init__()
        self.text = TextEncoder(masks)
        self.sequence = SequenceEncoder()
        self.graph = GraphEncoder()
        self.document = DocumentReader()
        self.fusion = Fusion(masks)

    def parts(self, tensors: dict[str, Tensor], rows: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """What each modality says of the applications `rows` [B], by part, and the CTC logits of their documents.

        `tensors` holds all applications, by the names of `data.Applications`: the graph needs the neighbours too.
        """
        accounts = self.graph(tensors["accounts"], tensors["edge_from"], tensors["edge_to"])
        text = self.text(paddle.index_select(tensors["tokens"], rows))
        sequence = self.sequence(paddle.index_select(tensors["months"], rows))
        logits, document = self.document(paddle.index_select(tensors["documents"], rows))
        parts = {
            "text": text,
            "sequence": sequence,
            "graph": paddle.index_select(accounts, rows),
            "document": document,
            "declared": paddle.index_select(tensors["declared"], rows),
        }
        return parts, logits

    def forward(self, tensors: dict[str, Tensor], rows: Tensor) -> tuple[Tensor, Tensor]:
        """The log-odds of default [B] and the CTC logits [B, COLUMNS, CLASSES] of the applications `rows` [B]."""
        parts, logits = self.parts(tensors, rows)
        return self.fusion(parts), logits
