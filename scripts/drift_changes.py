"""What `drift-suite` changes: real drifts that must be found, and variations that must not alarm. It runs nothing.

Changes are made from outside the image: files mounted over those of packages, preloaded objects, variables, options. What is written
over a file of the image is made from that very file, so that a change that fits no more is an error and not a change of nothing.
"""
import re
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

SOURCES = Path(__file__).resolve().parent / "drift"
SITE = "/usr/local/lib/python3.11/dist-packages"
WORKLOAD = "/usr/lib/envctl/workloads/riskmodel/riskmodel"
LIBM = "/usr/lib/x86_64-linux-gnu/libm.so.6"
MKL = f"{SITE}/paddle/libs/libmklml_intel.so"
OPENBLAS = f"{SITE}/numpy.libs/libopenblas64_p-r0-0cf96a72.3.23.dev.so"
NO_DRIFT = ("identical", "equivalent")
PRECISION, SEMANTICS, BROKEN = ("drift: precision",), ("drift: semantics",), ("broken",)
DRIFT = (*PRECISION, *SEMANTICS, "drift: nondeterminism")
PLACE = "/drift"
"""Where in the container lies what is not written over anything."""


class Unfitting(Exception):
    """A change that does not fit this image."""


@dataclass(frozen=True)
class File:
    """A file that is mounted at `target` in the container."""

    target: str

    def sources(self) -> Iterable[str]:
        """The files of the image it is made from."""
        return ()

    def make(self, path: Path, image: Callable[[str], Path]) -> None:
        """Writes it to `path`; `image` leads from a path in the image to a copy."""
        raise NotImplementedError


@dataclass(frozen=True)
class Text(File):
    content: str

    def make(self, path: Path, image: Callable[[str], Path]) -> None:
        path.write_text(self.content)


@dataclass(frozen=True)
class Copy(File):
    source: str

    def sources(self) -> Iterable[str]:
        return (self.source,)

    def make(self, path: Path, image: Callable[[str], Path]) -> None:
        path.hardlink_to(image(self.source))


@dataclass(frozen=True)
class Patched(File):
    """A text file of the image with one place changed."""

    pattern: str
    replacement: str

    def sources(self) -> Iterable[str]:
        return (self.target,)

    def make(self, path: Path, image: Callable[[str], Path]) -> None:
        text, count = re.subn(self.pattern, self.replacement, image(self.target).read_text(), count=1, flags=re.DOTALL)
        if count != 1:
            raise Unfitting(f"{self.target} has no place that matches {self.pattern!r}")
        path.write_text(text)


@dataclass(frozen=True)
class BitFlipped(File):
    """A file of the image with one bit flipped: `bit` of the eight-byte number `number`, which stands before `following`."""

    source: str
    number: int
    following: int
    bit: int

    def sources(self) -> Iterable[str]:
        return (self.source,)

    def make(self, path: Path, image: Callable[[str], Path]) -> None:
        content = bytearray(image(self.source).read_bytes())
        place = b"".join(value.to_bytes(8, "little") for value in (self.number, self.following))
        if content.count(place) != 1:
            raise Unfitting(f"{self.source} has not the expected table once")
        content[content.index(place) + self.bit // 8] ^= 1 << self.bit % 8
        path.write_bytes(content)


@dataclass(frozen=True)
class Compiled(File):
    """A shared object made here of a C source beside this file."""

    source: str
    flags: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    """Files of the image it is linked with, found beside it when it runs."""

    def sources(self) -> Iterable[str]:
        return self.needs

    def make(self, path: Path, image: Callable[[str], Path]) -> None:
        flags = [compiler_file(flag) if flag.endswith(".o") else flag for flag in self.flags]
        linked = []
        for needed in self.needs:
            copy = path.with_name("libmklml_original.so")
            copy.unlink(missing_ok=True)
            copy.hardlink_to(image(needed))
            linked += ["-Wl,--no-as-needed", f"-L{copy.parent}", f"-l:{copy.name}", f"-Wl,-rpath,{PLACE}", "-Wl,--allow-shlib-undefined"]
        command = ["cc", "-shared", "-fPIC", "-O2", "-fno-builtin", "-o", str(path), str(SOURCES / self.source), *flags, *linked, "-ldl", "-lm"]
        subprocess.run(command, check=True)


def compiler_file(name: str) -> str:
    return subprocess.run(["cc", f"-print-file-name={name}"], check=True, capture_output=True, text=True).stdout.strip()


@dataclass(frozen=True)
class Change:
    """One thing that is otherwise than when the baseline was recorded."""

    name: str
    kind: str
    """`planted` must be found, `benign` must not alarm."""
    what: str
    cause: str = ""
    """What the verdict must name, as a pattern: its first suspect, the operator or the input that moved."""
    files: tuple[File, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    """For the workload."""
    options: tuple[str, ...] = ()
    """For `envctl check`."""
    wrapper: tuple[str, ...] = ()
    """A program that runs envctl."""
    requirements: dict[str, str] = field(default_factory=dict)
    """Other packages: an image of its own is locked and built."""
    before: str = ""
    """Until when those packages were published."""
    hostname: str = ""
    expects: tuple[str, ...] = field(default=(), repr=False)
    """The outcomes that are right, where not any drift is. No part of what is run, and so none of `repr`, by which a run is known."""
    profile: str = field(default="", repr=False)
    """The one profile of `envctl check` it says something about, where not each: what breaks inference only shows where there is any."""

    @property
    def expected(self) -> tuple[str, ...]:
        return self.expects or (NO_DRIFT if self.kind == "benign" else DRIFT)


def in_process(name: str, cause: str, expects: tuple[str, ...] = SEMANTICS) -> Change:
    """A change the workload can plant in itself."""
    return Change(name, "planted", f"replaced in the process: {name}", cause, arguments=("--plant", name), expects=expects)


def preloaded(name: str, what: str, source: str, *flags: str, kind: str = "planted") -> Change:
    target = f"{PLACE}/{name}.so"
    return Change(
        name, kind, what, f"preload {target}", files=(Compiled(target, source, flags),), variables={"LD_PRELOAD": target})


def one_ulp(function: str, kind: str = "planted", what: str = "") -> Change:
    number, following = ("float", "nextafterf") if function.endswith("f") else ("double", "nextafter")
    flags = (f"-DFUNCTION={function}", f"-DTYPE={number}", f"-DNEXT={following}")
    what = what or f"a preloaded {function} that is one unit in the last place off"
    return preloaded(f"one-ulp-{function}", what, "one_ulp.c", *flags, kind=kind)


def blas(name: str, what: str, *flags: str) -> Change:
    return Change(
        name, "planted", what, r"(files paddlepaddle .*|library .*)libmklml_intel\.so",
        files=(Compiled(MKL, "blas.c", flags, needs=(MKL,)), Copy(f"{PLACE}/libmklml_original.so", MKL)))


def patched(
    name: str, what: str, cause: str, path: str, pattern: str, replacement: str, expects: tuple[str, ...] = SEMANTICS
) -> Change:
    kind = "benign" if expects == NO_DRIFT else "planted"
    return Change(name, kind, what, cause, files=(Patched(path, pattern, replacement),), expects=expects)


def framework(
    name: str, what: str, path: str, pattern: str, replacement: str, hyperparameter: str | None = None,
    expects: tuple[str, ...] = SEMANTICS
) -> Change:
    """A file of the framework that was edited. Where it shows in a hyperparameter, naming that is right too."""
    cause = rf"files paddlepaddle .*{re.escape(path)}" + (f"|hyperparameter {hyperparameter} " if hyperparameter else "")
    return patched(name, what, cause, f"{SITE}/paddle/{path}", pattern, replacement, expects)


def workload(name: str, what: str, path: str, pattern: str, replacement: str, also: str = "") -> Change:
    """A file of the workload that was edited: its data, its seeds, its settings."""
    cause = "files riskmodel " + (f"|{also}" if also else "")
    return patched(name, what, cause, f"{WORKLOAD}/{path}", pattern, replacement)


def weight_bit(tensor: str, index: int, bit: int, what: str) -> Change:
    """A bit of an initial weight, in float32, flipped as the framework loads it."""
    code = (
        f"\\g<1>if key == '{tensor}':\n"
        "\\g<1>    values = np.array(match_res[1], np.float32)\n"
        f"\\g<1>    values.view(np.uint32).reshape(-1)[{index}] ^= np.uint32(1 << {bit})\n"
        "\\g<1>    match_res = (param, values.astype(match_res[1].dtype))\n"
        "\\g<1>matched_param_state")
    return framework(
        f"weight-bit-{bit}", f"{what} of one weight of {tensor} flipped as weights are loaded", "nn/layer/layers.py",
        r"(?<=\n)( +)matched_param_state(?=\.append)", code)


def through_float16(function: str) -> tuple[str, str]:
    """The result of an operator rounded through float16 on its way out."""
    return rf"return _C_ops\.{function}\((.*?)\)\n", rf"return _C_ops.{function}(\1).astype('float16').astype(x.dtype)\n"


def environment(name: str, what: str, **variables: str) -> Change:
    return Change(name, "benign", what, variables=variables)


def kept(name: str, what: str, **variables: str) -> Change:
    """Variables that the workload would clear otherwise."""
    return Change(name, "benign", what, variables=variables, arguments=("--keep-environment",))


def upgrade(name: str, what: str, cause: str, before: str = "", profile: str = "", **requirements: str) -> Change:
    return Change(name, "benign", what, cause, requirements=requirements, before=before, profile=profile)


def breaks_inference(change: Change, name: str, cause: str) -> Change:
    """What harms no training and breaks a configuration of the engine that serves the model."""
    return replace(change, name=name, kind="planted", cause=cause, expects=BROKEN, profile="full")


EXP_TABLE = {"number": 0x3FEFD9B0D3158574, "following": 0x3FEFB5586CF9890F, "bit": 29}
"""Where glibc's expf keeps 2^(1/32), and the bit of it that is worth a unit in the last place of a float32."""
ADAM, NORM, ACTIVATION = "optimizer/adam.py", "nn/layer/norm.py", "nn/functional/activation.py"
HARMLESS = f"{SITE}/harmless-1.0.dist-info"
PADDLE_3 = upgrade("paddle-3", "PaddlePaddle 3.0.0", "package paddlepaddle ", before="2025-06-01", profile="quick", paddlepaddle="3.0.0",
                   numpy="1.26.4")
"""Its engine refuses the memory optimiser for this model."""
PATTERN = replace(environment("memory-pattern", "memory filled with a pattern", MALLOC_PERTURB_="165"), profile="quick")
"""Paddle 2.6's engine without fusion reads memory that nobody has written."""

PLANTED = (
    in_process("adam-epsilon", "hyperparameter epsilon "),
    in_process("batchnorm-momentum", "hyperparameter batch_norm_momentum "),
    in_process("float16-data", "between the operators"),
    in_process("gelu-tanh", "operator float(32|64) gelu"),
    in_process("layernorm-epsilon", "hyperparameter layer_norm_epsilon "),
    in_process("learning-rate", "hyperparameter learning_rate "),
    in_process("lstm-gates", "operator float(32|64) lstm"),
    in_process("missing-value", "broken .*sequence.lstm", BROKEN),
    in_process("weight-bit", "input initial weights fusion.score.weight"),
    in_process("weight-decay", "hyperparameter optimizer "),
    one_ulp("expf"),
    one_ulp("exp"),
    one_ulp("logf"),
    one_ulp("log"),
    preloaded("rounding-mode", "a preloaded library leaves the processor rounding towards zero", "rounding.c"),
    preloaded("fast-math", "a preloaded expf built with -ffast-math", "fast_exp.c", "-ffast-math"),
    preloaded("flush-to-zero", "a preloaded library as -ffast-math links it: subnormal numbers become zero", "nothing.c", "crtfastmath.o"),
    Change("preload-file", "planted", "the wrong expf preloaded by /etc/ld.so.preload", f"preload {PLACE}/expf.so", files=(
        Compiled(f"{PLACE}/expf.so", "one_ulp.c", ("-DFUNCTION=expf", "-DTYPE=float", "-DNEXT=nextafterf")),
        Text("/etc/ld.so.preload", f"{PLACE}/expf.so\n"))),
    Change("libm-bit", "planted", "one bit of the C library's table for expf flipped", rf"library {LIBM}",
           files=(BitFlipped(LIBM, LIBM, **EXP_TABLE),)),
    Change("libm-elsewhere", "planted", "the same library found by LD_LIBRARY_PATH", r"library libm\.so\.6 |variable LD_LIBRARY_PATH",
           files=(BitFlipped(f"{PLACE}/libm.so.6", LIBM, **EXP_TABLE),), variables={"LD_LIBRARY_PATH": PLACE}),
    blas("blas-openblas", "MKL swapped for OpenBLAS", f'-DOTHER="{OPENBLAS}"'),
    blas("blas-bfloat16", "matrix products with factors rounded to bfloat16", "-DBITS=7"),
    blas("blas-tf32", "matrix products with factors rounded as TF32 does", "-DBITS=10"),
    blas("blas-single", "matrix products of float64 computed in float32", "-DSINGLE"),
    framework("adam-beta1", "Adam's default beta1 .91 for .9", ADAM, r"beta1=0\.9,", "beta1=0.91,", "beta1"),
    framework("adam-beta2", "Adam's default beta2 .9999 for .999", ADAM, r"beta2=0\.999,", "beta2=0.9999,", "beta2"),
    framework("adam-rate", "Adam takes a thousandth of a percent more than asked for", ADAM,
              r"learning_rate=learning_rate,", "learning_rate=learning_rate * 1.00001,", "learning_rate"),
    framework("adam-decay", "Adam decays weights by 1e-4 by default", ADAM, r"weight_decay=None,", "weight_decay=1e-4,"),
    framework("layernorm-tiny", "layer normalisation's default epsilon 0.1 % larger", NORM,
              r"(class LayerNorm\(Layer\):.*?epsilon=)1e-05", r"\g<1>1.001e-05", "layer_norm_epsilon"),
    framework("batchnorm-epsilon", "batch normalisation's default epsilon 1e-3 for 1e-5", NORM,
              r"(class _BatchNormBase\(Layer\):.*?epsilon=)1e-05", r"\g<1>1e-3", "batch_norm_epsilon"),
    framework("gelu-default", "GELU's tanh form by default", ACTIVATION, r"def gelu\(x, approximate=False", "def gelu(x, approximate=True"),
    framework("gelu-float16", "GELU's results rounded through float16", ACTIVATION, *through_float16("gelu")),
    framework("softmax-float16", "softmax's results rounded through float16", ACTIVATION, *through_float16("softmax")),
    framework("silu-float16", "SiLU's results rounded through float16", ACTIVATION, *through_float16("silu")),
    framework("neighbours-sum", "messages between accounts summed up, not averaged", "geometric/message_passing/send_recv.py",
              r"x, src_index, dst_index, reduce_op\.upper\(\), out_size",
              "x, src_index, dst_index, {'MEAN': 'SUM'}.get(reduce_op.upper(), reduce_op.upper()), out_size"),
    framework("weights-float16", "weights that passed through float16 on being loaded", "nn/layer/layers.py",
              r"(?<=\n)( +)param\.set_value\(state\)",
              r"\g<1>param.set_value(state.astype('float16').astype(state.dtype) if isinstance(state, np.ndarray) else state)"),
    framework("tensors-float16", "float32 data that pass through float16 on their way into the framework", "tensor/creation.py",
              r"(?<=\n)( +)if isinstance\(data, np\.number\):",
              r"\g<1>if isinstance(data, np.ndarray) and data.dtype == np.float32:\n\g<1>    data = data.astype(np.float16).astype(np.float32)\n"
              r"\g<1>if isinstance(data, np.number):", expects=PRECISION),  # Data of float64 stay what they are.
    weight_bit("text.tokens.weight", 161, 0, "the lowest bit"),
    weight_bit("text.blocks.0.widen.weight", 5, 12, "bit 12"),
    weight_bit("document.strokes.weight", 40, 22, "the highest bit of the fraction"),
    weight_bit("graph.near.own.weight", 7, 31, "the sign"),
    Change("seed", "planted", "the seeds of another variant", "hyperparameter seed of (weights|masks|order) ", arguments=("--seed", "1"),
           expects=SEMANTICS),
    workload("seed-data", "another seed of the data", "settings.py", r'"data": 5', '"data": 6', "hyperparameter seed of data "),
    workload("seed-weights", "another seed of the initial weights", "settings.py", r'"weights": 2', '"weights": 3',
             "hyperparameter seed of weights "),
    workload("seed-order", "another seed of the batch order", "settings.py", r'"order": 2025', '"order": 2026',
             "hyperparameter seed of order "),
    workload("seed-masks", "another seed of the dropout masks", "settings.py", r'"masks": 11', '"masks": 12',
             "hyperparameter seed of masks "),
    workload("loss-weight", "the weight of the CTC loss .3003 for .3", "settings.py", r"CTC_WEIGHT = 0\.3", "CTC_WEIGHT = 0.3003",
             "hyperparameter ctc_weight "),
    workload("rows-swapped", "two rows of the transactions swapped", "data.py", r"(?<=\n)( +)return on_grid\(months\), late",
             r"\g<1>months[[3, 4]] = months[[4, 3]]\n\g<1>return on_grid(months), late"),
    workload("row-lost", "one row of the transactions lost: those after it move up", "data.py",
             r"(?<=\n)( +)return on_grid\(months\), late", r"\g<1>months[500:-1] = months[501:]\n\g<1>return on_grid(months), late"),
    workload("value-moved", "one transaction off by 2^-16", "data.py", r"(?<=\n)( +)return on_grid\(months\), late",
             r"\g<1>months[700, 3, 2] += 2**-16\n\g<1>return on_grid(months), late"),
    workload("label-flipped", "one loan repaid instead of defaulted, or the other way round", "data.py",
             r"defaulted=\(random\.random_sample\(n\) < _sigmoid\(log_odds\)\)",
             "defaulted=((random.random_sample(n) < _sigmoid(log_odds)) ^ (np.arange(n) == 321))"),
    breaks_inference(PADDLE_3, "paddle-3-serving", "broken .*inference memory|package paddlepaddle "),
    breaks_inference(PATTERN, "pattern-serving", "broken .*inference plain"),
)

BENIGN = (
    Change("unchanged", "benign", "nothing changed at all"),
    kept("threads", "two threads", OMP_NUM_THREADS="2", MKL_NUM_THREADS="2"),
    environment("threads-cleared", "a number of threads that the workload clears", OMP_NUM_THREADS="7", MKL_NUM_THREADS="7"),
    kept("mkl-compatible", "MKL's most compatible code path", MKL_CBWR="COMPATIBLE"),
    kept("mkl-avx2", "MKL's code path for AVX2", MKL_DEBUG_CPU_TYPE="5"),
    kept("onednn-sse41", "oneDNN held to SSE 4.1", DNNL_MAX_CPU_ISA="SSE41"),
    kept("flags", "flags of the framework that change no number", FLAGS_call_stack_level="2", FLAGS_allocator_strategy="naive_best_fit"),
    environment("libm-paths", "the C library's functions for processors without AVX2 and FMA", GLIBC_TUNABLES="glibc.cpu.hwcaps=-AVX2,-FMA"),
    environment("timezone", "another time zone", TZ="Asia/Shanghai"),
    environment("language", "another language and encoding", LANG="tr_TR.ISO-8859-9", LC_ALL="POSIX"),
    environment("hash-seed", "Python's own hash seed", PYTHONHASHSEED="4711"),
    environment("allocator", "one arena, small blocks mapped, freed memory returned at once", MALLOC_ARENA_MAX="1",
                MALLOC_MMAP_THRESHOLD_="65536", MALLOC_TRIM_THRESHOLD_="0"),
    PATTERN,
    environment("bind-now", "symbols bound at once", LD_BIND_NOW="1"),
    Change("umask", "benign", "a strict umask", wrapper=("sh", "-c", 'umask 077; exec "$@"', "sh")),
    Change("nice", "benign", "a lower priority", wrapper=("nice", "-n", "10")),
    Change("affinity", "benign", "held to one processor", wrapper=("taskset", "-c", "0")),
    Change("no-randomisation", "benign", "addresses not randomised", wrapper=("setarch", "-R")),
    Change("hostname", "benign", "another host name", hostname="another-name"),
    Change("folder", "benign", "another working folder", options=("--workdir", "/tmp")),
    Change("user", "benign", "another user", options=("--user", "65534:65534")),
    Change("shared-memory", "benign", "a small /dev/shm", options=("--shm", "64MiB")),
    one_ulp("log1pf", "benign", "a preloaded log1pf that is wrong, which nothing here calls"),
    one_ulp("erff", "benign", "a preloaded erff that is wrong, which nothing here calls"),
    preloaded("harmless-preload", "a preloaded library that does nothing", "nothing.c", kind="benign"),
    Change("extra-package", "benign", "a package more", files=(
        Text(f"{SITE}/harmless.py", "VALUE = 1\n"), Text(f"{HARMLESS}/METADATA", "Metadata-Version: 2.1\nName: harmless\nVersion: 1.0\n"),
        Text(f"{HARMLESS}/RECORD", "harmless.py,,\nharmless-1.0.dist-info/METADATA,,\nharmless-1.0.dist-info/RECORD,,\n"))),
    framework("comment", "a comment in a file of the framework", ADAM, r"(?<=\n)class Adam\(", "# Harmless.\nclass Adam(", expects=NO_DRIFT),
    framework("lazy-adam", "a changed default that nothing of the model meets", ADAM, r"lazy_mode=False", "lazy_mode=True", expects=NO_DRIFT),
    upgrade("numpy-1.25", "numpy 1.25.2", "package numpy ", numpy="1.25.2"),
    upgrade("numpy-2", "numpy 2.1.2", "package numpy ", numpy="2.1.2"),
    upgrade("protobuf-4", "protobuf 4.25.5", "package protobuf ", protobuf="4.25.5"),
    PADDLE_3,
)

CHANGES = {change.name: change for change in PLANTED + BENIGN}
