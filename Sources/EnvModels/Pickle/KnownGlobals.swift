/// The names a pickle of tensors and plain containers needs. Whatever is not here is reported; nothing here runs what it is given.
import EnvCore

/// What a pickle imports by GLOBAL, INST or STACK_GLOBAL.
struct PickleGlobal: Hashable, CustomStringConvertible {
  let module: String
  let name: String

  var description: String { module + "." + name }

  /// Whether it makes tensors or plain containers and nothing else.
  var isKnown: Bool { Self.known[module]?.contains(name) ?? false }

  private static let known: [String: Set<String>] = {
    var known: [String: Set<String>] = [
      "collections": ["OrderedDict", "defaultdict", "Counter"],
      // How Python 3 writes bytes in protocols below 3.
      "_codecs": ["encode"],
      "torch.storage": ["UntypedStorage", "TypedStorage"],
      "torch._tensor": ["Tensor"],
      "torch.nn.parameter": ["Parameter"],
      "torch.serialization": ["_get_layout"],
      // torch.storage._load_from_bytes and _rebuild_from_type_v2 are left out: they unpickle and call what they are given.
      "torch._utils": [
        "_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3", "_rebuild_parameter", "_rebuild_qtensor",
        "_rebuild_sparse_tensor", "_rebuild_meta_tensor_no_storage", "_rebuild_nested_tensor",
      ],
      "torch": torch,
      "numpy": numpy,
      "numpy.dtypes": Set(["Bool", "Complex64", "Complex128", "Float16", "Float32", "Float64"].map { $0 + "DType" } + integerDTypes),
    ]
    // Python 2 and 3, numpy 1 and 2.
    for module in ["builtins", "__builtin__"] { known[module] = builtins }
    for core in ["numpy.core", "numpy._core"] {
      known[core + ".multiarray"] = ["_reconstruct", "scalar"]
      known[core + ".numeric"] = ["_frombuffer"]
    }
    return known
  }()

  /// paddle.save writes a tensor as a call of `tuple` on its name and its array.
  private static let builtins: Set<String> = [
    "bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int", "list", "set", "str", "tuple",
  ]

  private static let integerDTypes = [8, 16, 32, 64].flatMap { ["Int\($0)DType", "UInt\($0)DType"] }

  private static let torch: Set<String> = {
    let storages = [
      "BFloat16", "Bool", "Byte", "Char", "ComplexDouble", "ComplexFloat", "Double", "Float", "Half", "Int", "Long", "QInt32", "QInt8",
      "QUInt2x4", "QUInt4x2", "QUInt8", "Short",
    ].map { $0 + "Storage" }
    let types = [
      "bfloat16", "bool", "complex128", "complex32", "complex64", "float16", "float32", "float64", "float8_e4m3fn", "float8_e4m3fnuz",
      "float8_e5m2", "float8_e5m2fnuz", "int16", "int32", "int64", "int8", "qint32", "qint8", "quint8", "uint16", "uint32", "uint64",
      "uint8",
    ]
    let schemes = ["channel_affine", "channel_affine_float_qparams", "channel_symmetric", "tensor_affine", "tensor_symmetric"].map {
      "per_" + $0
    }
    return Set(storages + types + schemes + ["Size", "Tensor", "device"])
  }()

  private static let numpy: Set<String> = [
    "bool_", "complex128", "complex64", "dtype", "float16", "float32", "float64", "int16", "int32", "int64", "int8", "ndarray", "uint16",
    "uint32", "uint64", "uint8",
  ]
}
