/// The opcodes of Python's pickle, protocols 0 to 5, and the form of the argument that follows each in the stream.
import EnvCore

/// An instruction of the pickle machine (PEP 307, 3154 and 574, and CPython's Lib/pickletools.py, whose names these are).
enum PickleOpcode: UInt8, CaseIterable {
  case mark = 0x28  // (
  case stop = 0x2E  // .
  case pop = 0x30
  case popMark = 0x31
  case dup = 0x32
  case float = 0x46
  case int = 0x49
  case binint = 0x4A
  case binint1 = 0x4B
  case long = 0x4C
  case binint2 = 0x4D
  case none = 0x4E
  case persid = 0x50
  case binpersid = 0x51
  case reduce = 0x52
  case string = 0x53
  case binstring = 0x54
  case shortBinstring = 0x55
  case unicode = 0x56
  case binunicode = 0x58
  case append = 0x61
  case build = 0x62
  case global = 0x63
  case dict = 0x64
  case emptyDict = 0x7D
  case appends = 0x65
  case get = 0x67
  case binget = 0x68
  case inst = 0x69
  case longBinget = 0x6A
  case list = 0x6C
  case emptyList = 0x5D
  case obj = 0x6F
  case put = 0x70
  case binput = 0x71
  case longBinput = 0x72
  case setitem = 0x73
  case tuple = 0x74
  case emptyTuple = 0x29
  case setitems = 0x75
  case binfloat = 0x47
  // Protocol 2.
  case proto = 0x80
  case newobj = 0x81
  case ext1 = 0x82
  case ext2 = 0x83
  case ext4 = 0x84
  case tuple1 = 0x85
  case tuple2 = 0x86
  case tuple3 = 0x87
  case newtrue = 0x88
  case newfalse = 0x89
  case long1 = 0x8A
  case long4 = 0x8B
  // Protocol 3.
  case binbytes = 0x42
  case shortBinbytes = 0x43
  // Protocol 4.
  case shortBinunicode = 0x8C
  case binunicode8 = 0x8D
  case binbytes8 = 0x8E
  case emptySet = 0x8F
  case additems = 0x90
  case frozenset = 0x91
  case newobjEx = 0x92
  case stackGlobal = 0x93
  case memoize = 0x94
  case frame = 0x95
  // Protocol 5.
  case bytearray8 = 0x96
  case nextBuffer = 0x97
  case readonlyBuffer = 0x98

  /// How the argument is written.
  enum Argument: Equatable {
    case none
    /// An unsigned little-endian number of so many bytes, which the machine needs.
    case number(bytes: Int)
    /// So many bytes that mean nothing here.
    case fixed(Int)
    /// A decimal number and a newline, which the machine needs.
    case decimalLine
    /// A line that means nothing here.
    case line
    /// A line of text in quotes.
    case quotedLine
    /// A line of text with Python's raw Unicode escapes.
    case escapedLine
    /// Module and name, a line each.
    case twoLines
    /// A length of so many bytes, and then that many bytes. Lengths of four bytes are signed where they were in protocol 1 and 2.
    case text(lengthBytes: Int, isSigned: Bool)
    case bytes(lengthBytes: Int, isSigned: Bool)
  }

  var argument: Argument {
    switch self {
    case .proto, .binget, .binput, .ext1: .number(bytes: 1)
    case .ext2: .number(bytes: 2)
    case .ext4, .longBinget, .longBinput: .number(bytes: 4)
    case .frame: .number(bytes: 8)
    case .binint1: .fixed(1)
    case .binint2: .fixed(2)
    case .binint: .fixed(4)
    case .binfloat: .fixed(8)
    case .get, .put: .decimalLine
    case .int, .long, .float, .persid: .line
    case .string: .quotedLine
    case .unicode: .escapedLine
    case .global, .inst: .twoLines
    case .shortBinstring, .shortBinunicode: .text(lengthBytes: 1, isSigned: false)
    case .binstring: .text(lengthBytes: 4, isSigned: true)
    case .binunicode: .text(lengthBytes: 4, isSigned: false)
    case .binunicode8: .text(lengthBytes: 8, isSigned: false)
    case .long1, .shortBinbytes: .bytes(lengthBytes: 1, isSigned: false)
    case .long4: .bytes(lengthBytes: 4, isSigned: true)
    case .binbytes: .bytes(lengthBytes: 4, isSigned: false)
    case .binbytes8, .bytearray8: .bytes(lengthBytes: 8, isSigned: false)
    default: .none
    }
  }

  /// As pickletools writes it, such as `STACK_GLOBAL`.
  var name: String {
    var name = ""
    for letter in "\(self)" { name += letter.isUppercase ? "_" + String(letter) : letter.uppercased() }
    return name
  }
}
