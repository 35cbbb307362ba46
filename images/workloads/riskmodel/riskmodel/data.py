"""Synthetic loan applications, drawn from numpy's frozen legacy generator (NEP 19). Needs numpy only.

Every application has a latent riskiness. It colours each modality a little, so no single part of the model can find it
alone: the stated purpose, the transactions, the company an account keeps, and an amount that contradicts the document.
"""

from dataclasses import asdict, dataclass

import numpy as np

# Purpose of the loan, and what stating it adds to the log-odds of default.
PURPOSES = {
    "购车首付": 0.0,  # down payment for a car
    "房屋装修": 0.0,  # renovating a home
    "经营周转": 0.0,  # working capital
    "子女教育": 0.0,  # a child's education
    "医疗支出": 0.0,  # medical costs
    "旅游度假": 0.0,  # a holiday
    "偿还信用卡": 0.6,  # paying off a credit card
    "店铺进货": 0.0,  # stock for a shop
    "短期资金周转": 0.4,  # short-term cash flow
    "婚庆费用": 0.0,  # a wedding
    "购买设备": 0.0,  # equipment
    "借新还旧": 1.2,  # a new loan to repay an old one
    "日常消费": 0.0,  # daily spending
    "投资理财": 0.8,  # investing borrowed money
    "数码产品": 0.0,  # electronics
    "农业种植": 0.0,  # farming
    "急用现金": 1.0,  # urgent cash
    "还网贷": 1.4,  # repaying an online loan
}
PREAMBLE = "我想申请用于"  # "I would like to apply, for ..."; half of the applicants write it
VOCABULARY = ["[PAD]", "[CLS]", *sorted(set(PREAMBLE).union(*PURPOSES))]
TOKENS = 1 + len(PREAMBLE) + max(map(len, PURPOSES))

MONTHS, TRANSACTION_FEATURES = 24, 6
ACCOUNT_FEATURES = 4
DIGITS = 6
DOCUMENT_HEIGHT, DOCUMENT_WIDTH = 16, 64

# A digit is drawn as on a seven-segment display, 11 rows by 7 columns.
DIGIT_HEIGHT, DIGIT_WIDTH = 11, 7
SEGMENTS = {
    "a": np.s_[0, 1:6],
    "b": np.s_[0:6, 6],
    "c": np.s_[5:11, 6],
    "d": np.s_[10, 1:6],
    "e": np.s_[5:11, 0],
    "f": np.s_[0:6, 0],
    "g": np.s_[5, 1:6],
}
SEGMENTS_OF_DIGIT = ("abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "abcfgd")


@dataclass(frozen=True)
class Applications:
    """`n` loan applications; shapes in brackets, `e` directed edges between accounts."""

    tokens: np.ndarray
    """[n, TOKENS] int64: the purpose as character ids, 0 where there is no character."""
    months: np.ndarray
    """[n, MONTHS, TRANSACTION_FEATURES] float32: transactions, oldest month first; feature 1 is a late payment."""
    accounts: np.ndarray
    """[n, ACCOUNT_FEATURES] float32: what is known of the account itself."""
    edge_from: np.ndarray
    """[e] int64: source account of each edge; accounts are joined when they share a device, and with themselves."""
    edge_to: np.ndarray
    """[e] int64: destination account of each edge."""
    documents: np.ndarray
    """[n, 1, DOCUMENT_HEIGHT, DOCUMENT_WIDTH] float32: the scanned amount."""
    amounts: np.ndarray
    """[n, DIGITS] int32: the digits in the scan, each plus one, as 0 is CTC's blank."""
    declared: np.ndarray
    """[n, 1] float32: the leading digit of the amount the applicant declared, scaled to about -1 … 2."""
    defaulted: np.ndarray
    """[n] float32: 1 where the loan was not repaid."""

    def tensors(self) -> dict[str, np.ndarray]:
        """The arrays by name."""
        return asdict(self)


def on_grid(values: np.ndarray) -> np.ndarray:
    """Rounds to multiples of 2^-16, as float32.

    Another C library may compute `log` or `exp` differently in the last bit. Rounded to a grid this coarse, both give
    the same bytes, and the digest of the data is the same on every machine.
    """
    return (np.round(values * 65536) / 65536).astype(np.float32)


def generate(seed: int, n: int) -> Applications:
    """Draws `n` applications; the same seed gives the same bytes everywhere."""
    random = np.random.RandomState(seed)
    riskiness = random.standard_normal(n)
    tokens, purpose_risk = _purposes(random, n)
    months, late = _transactions(random, riskiness)
    accounts, edge_from, edge_to, in_ring = _accounts(random, riskiness)
    digits = random.randint(0, 10, (n, DIGITS))
    documents = _documents(random, digits)
    overstated = np.where(random.random_sample(n) < 0.25, random.randint(2, 6, n), 0)
    log_odds = (
        -1.1
        + riskiness
        + purpose_risk
        + 4.8 * (late.mean(axis=1) - 0.12)
        + 0.9 * in_ring
        + 0.25 * overstated
    )
    return Applications(
        tokens=tokens,
        months=months,
        accounts=accounts,
        edge_from=edge_from,
        edge_to=edge_to,
        documents=documents,
        amounts=(digits + 1).astype(np.int32),
        declared=on_grid((digits[:, :1] + overstated[:, None]) / 5 - 1),
        defaulted=(random.random_sample(n) < _sigmoid(log_odds)).astype(np.float32),
    )


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _purposes(random: np.random.RandomState, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Token ids [n, TOKENS] and the risk [n] each stated purpose adds."""
    purposes = list(PURPOSES)
    identifier = {character: index for index, character in enumerate(VOCABULARY)}
    chosen = random.randint(0, len(purposes), n)
    polite = random.random_sample(n) < 0.5
    tokens = np.zeros((n, TOKENS), np.int64)
    for row, (index, preamble) in enumerate(zip(chosen, polite)):
        text = (PREAMBLE if preamble else "") + purposes[index]
        ids = [identifier["[CLS]"], *(identifier[character] for character in text)]
        tokens[row, : len(ids)] = ids
    return tokens, np.array(list(PURPOSES.values()))[chosen]


def _transactions(random: np.random.RandomState, riskiness: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Months [n, MONTHS, TRANSACTION_FEATURES], and where a payment was late [n, MONTHS]."""
    n = len(riskiness)
    months = random.standard_normal((n, MONTHS, TRANSACTION_FEATURES))
    probability = 0.08 + 0.12 * _sigmoid(riskiness)
    late = random.random_sample((n, MONTHS)) < probability[:, None]
    # Spending of a risky applicant drifts upward over the two years.
    months[:, :, 0] += 0.7 * riskiness[:, None] * np.linspace(0, 1, MONTHS)
    months[:, :, 1] = late
    return on_grid(months), late


def _accounts(
    random: np.random.RandomState, riskiness: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Account features [n, ACCOUNT_FEATURES], both ends of the edges [e], and who shares a fraud ring's device [n]."""
    n = len(riskiness)
    devices = n // 3
    device = random.randint(0, devices, n)
    ring_device = random.random_sample(devices) < 0.12
    # Half of the very risky applicants sign in from a device of a fraud ring.
    recruited = (riskiness > 0.8) & (random.random_sample(n) < 0.5)
    rings = np.flatnonzero(ring_device)
    device[recruited] = rings[random.randint(0, len(rings), recruited.sum())]
    in_ring = ring_device[device].astype(np.float64)
    sharers = np.bincount(device, minlength=devices)[device]
    features = np.stack(
        [
            in_ring,
            sharers / 5,
            random.standard_normal(n),
            0.3 * riskiness + random.standard_normal(n),
        ],
        axis=1,
    )
    edge_from, edge_to = _edges(device)
    return on_grid(features), edge_from, edge_to, in_ring


def _edges(device: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Joins each account to itself and, both ways, to the next three that use its device."""
    by_device = np.argsort(device, kind="stable")
    pairs = [(account, account) for account in range(len(device))]
    for distance in (1, 2, 3):
        for one, other in zip(by_device[:-distance], by_device[distance:]):
            if device[one] == device[other]:
                pairs += [(one, other), (other, one)]
    edges = np.array(pairs, np.int64)
    return edges[:, 0].copy(), edges[:, 1].copy()


def _documents(random: np.random.RandomState, digits: np.ndarray) -> np.ndarray:
    """Scans [n, 1, DOCUMENT_HEIGHT, DOCUMENT_WIDTH] of the digits [n, DIGITS]: unevenly set, on noisy paper."""
    n = len(digits)
    scans = np.zeros((n, 1, DOCUMENT_HEIGHT, DOCUMENT_WIDTH))
    for scan, row in zip(scans[:, 0], digits):
        left = 1
        for digit in row:
            top = random.randint(0, DOCUMENT_HEIGHT - DIGIT_HEIGHT)
            scan[top : top + DIGIT_HEIGHT, left : left + DIGIT_WIDTH] = _glyph(digit)
            left += DIGIT_WIDTH + 1 + random.randint(0, 3)
    return on_grid(scans + 0.15 * random.standard_normal(scans.shape))


def _glyph(digit: int) -> np.ndarray:
    """The digit as [DIGIT_HEIGHT, DIGIT_WIDTH], ink 1 on paper 0."""
    glyph = np.zeros((DIGIT_HEIGHT, DIGIT_WIDTH))
    for segment in SEGMENTS_OF_DIGIT[digit]:
        glyph[SEGMENTS[segment]] = 1
    return glyph
