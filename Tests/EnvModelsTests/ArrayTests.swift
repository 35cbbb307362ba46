/// numpy's files and safetensors: headers that fit the bytes, and headers that do not.
import EnvCore
import SafeFS
import SystemPackage
import TestSupport
import Testing

@testable import EnvModels

@Suite struct NumpyTests {
  private func array(_ header: String, _ data: [UInt8]) -> [UInt8] {
    NumpyHeader.magic + [1, 0] + .number(header.utf8.count, 2) + .text(header) + data
  }

  @Test("what numpy saves is what it should be, with objects and without", .needs(Python.numpy)) func byNumpy() throws {
    try withTemporaryFolder { folder in
      try Python.run(
        """
        import os, pickle, sys
        import numpy as np
        f = sys.argv[1] + '/'
        class Evil:
            def __reduce__(self): return (os.system, ('id',))
        arrays = {'f': np.arange(12.).reshape(3, 4), 'i': np.int64(3), 'b': np.ones(0, bool), 'u': np.array(['ab', 'cde']),
          'm': np.array(['2020-01-01'], 'M8[ns]'), 's': np.zeros(3, [('a', '<f4', (2, 2)), ('O', 'i1'), ('n', [('x', '<u2')])]),
          'c': np.ones(2, 'complex64'), 'r': np.asfortranarray(np.ones((2, 3)))}
        for name, a in arrays.items(): np.save(f + name + '.npy', a)
        np.savez(f + 'all.npz', **arrays)
        np.savez_compressed(f + 'packed.npz', **arrays)
        with open(f + 'many.npy', 'wb') as o:
            np.save(o, arrays['f']); np.save(o, arrays['i'])
        np.save(f + 'objects.npy', np.array([1, 'two', None, {3: 4}], object))
        np.save(f + 'evil.npy', np.array([Evil()], object))
        # More than is inflated of anything else.
        np.savez_compressed(f + 'large.npz', zeros=np.zeros(9 << 20))
        np.savez_compressed(f + 'evil.npz', good=arrays['f'], bad=np.array([Evil()], object))
        np.save(f + 'field.npy', np.array([(1, Evil())], [('a', 'i4'), ('b', 'O')]))
        for p in range(6):
            open(f + f'state{p}.pdparams', 'wb').write(pickle.dumps({'w': arrays['f'], 'n': np.float32(2), 'd': np.dtype('f4'), 'u': arrays['u'],
              't': tuple(('x', arrays['i']))}, p))
            open(f + f'evil{p}.pdopt', 'wb').write(pickle.dumps({'w': arrays['f'], 'LR': Evil()}, p))
        """, folder)
      func found(_ name: String) throws -> ModelScan { try ModelScanner().scan(folder.appending(name)) }
      for name in ["f", "i", "b", "u", "m", "s", "c", "r", "many"] {
        #expect(try found(name + ".npy").findings == [], "\(name)")
        #expect(try found(name + ".npy").format == .npy && found(name + ".npy").pickles == 0, "\(name)")
      }
      for name in ["all.npz", "packed.npz", "large.npz"] { #expect(try found(name).findings == [] && found(name).format == .npz) }
      #expect(try found("objects.npy").findings == [] && found("objects.npy").pickles == 1)
      for name in ["evil.npy", "evil.npz", "field.npy"] { #expect(try found(name).findings.map(\.global) == ["posix.system"], "\(name)") }
      for version in 0...5 {
        let sound = try found("state\(version).pdparams")
        #expect(sound.findings == [] && sound.pickles == 1, "\(version): \(sound.findings)")
        #expect(try found("evil\(version).pdopt").findings.map(\.global) == ["posix.system"])
      }
    }
  }

  @Test(arguments: [
    ("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", "os.system"),
    ("{'descr': 'O', 'fortran_order': False, 'shape': ()}", "os.system"),
    ("{'descr': 'object', 'fortran_order': False, 'shape': ()}", "os.system"),
    ("{'descr': 'i4,O', 'fortran_order': False, 'shape': ()}", "os.system"),
    ("{'descr': [('a', [('b', '|O')])], 'fortran_order': False, 'shape': ()}", "os.system"),
    ("{'descr': ('|O', (2,)), 'fortran_order': False, 'shape': ()}", "os.system"),
    ("{'descr': '\\x4f', 'fortran_order': False, 'shape': ()}", "holds an escape"),
    ("{'descr': '' 'O', 'fortran_order': False, 'shape': ()}", "joined strings"),
    ("{'descr': '<f8', 'descr': '|O', 'fortran_order': False, 'shape': ()}", "names 'descr' twice"),
    ("{'descr': '<f8', 'fortran_order': False, 'shape': (99,)}", "shorter than its header"),
    ("{'descr': '<f8', 'fortran_order': False, 'shape': (9999999999, 9999999999)}", "larger than any file"),
    ("{'descr': '<f8', 'fortran_order': False}", "other keys"), ("{'descr': '<f8'", "no literal"), ("", "cut off"),
    ("{}x", "after its end"),
    (String(repeating: "[", count: 100), "nested too deeply"),
    ("{'descr': '|u1', 'fortran_order': False, 'shape': (1,)}", "what follows the array"),
  ]) func headers(_ header: String, _ expected: String) throws {
    let scan = try scan(array(header, ContainerTests.evil), "a.npy")
    #expect(scan.findings.contains { $0.description.contains(expected) }, "\(scan.findings)")
    #expect(scan.format == .npy)
  }
}

@Suite struct SafetensorsTests {
  private func file(_ header: String, data: Int, length: Int? = nil) -> [UInt8] {
    .number(length ?? header.utf8.count, 8) + .text(header) + [UInt8](repeating: 7, count: data)
  }

  @Test(arguments: [
    (#"{}"#, 0), (#"{"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}"#, 24),
    (#"{"__metadata__":{"format":"pt","x":"\u00e9\ud83d\ude00\n"},"a":{"dtype":"BF16","shape":[],"data_offsets":[0,2]}}   "#, 2),
    (#"{ "b" : {"dtype":"U8","shape":[0],"data_offsets":[1,1]} , "a":{"shape":[1],"data_offsets":[0,1],"dtype":"BOOL"}}"#, 1),
    (#"{"a":{"dtype":"F4","shape":[4],"data_offsets":[0,2]},"b":{"dtype":"F64","shape":[1],"data_offsets":[2,10]}}"#, 10),
  ]) func sound(_ header: String, _ data: Int) throws {
    let scan = try scan(file(header, data: data), "model.safetensors")
    #expect(scan.format == .safetensors && scan.findings == [], "\(scan.findings)")
    #expect(try EnvModelsTests.scan(file(header, data: data), "blob").format == .safetensors)
  }

  static let one = #"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}"#
  static let faults: [(header: String, data: Int, message: String)] = [
    (one, 3, "its tensors take 4 bytes, and 3 follow"), (one, 5, "its tensors take 4 bytes, and 5 follow"),
    (one.replaced("[0,4]", "[0,5]"), 5, "takes 5 bytes, its type and shape 4"), (one.replaced("[0,4]", "[4,0]"), 4, "takes -4 bytes"),
    (one.replaced("[0,4]", "[1,5]"), 5, "follows a gap"), (one.replaced("U8", "F7"), 4, "unknown type 'F7'"),
    (one.replaced("[4]", "[9999999999,9999999999]"), 4, "larger than any file"), (one.replaced("[4]", "[-4]"), 4, "no whole number"),
    (one.replaced("[4]", "[4.0]"), 4, "lacks ']'"), (one.replaced("[4]", "[04]"), 4, "no whole number"),
    (one.replaced("[4]", "4"), 4, "lacks '['"),
    (one.replaced("[4]", "[\(String(repeating: "1,", count: 70))4]"), 4, "more than 64 numbers"),
    (one.replaced(#""dtype":"U8","#, ""), 4, "lacks dtype"), (one.replaced("dtype", "type"), 4, "unknown key 'type'"),
    (one.replaced(#""dtype":"U8""#, #""dtype":"U8","dtype":"I8""#), 4, "names 'dtype' twice"),
    (#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"a":{"dtype":"U8","shape":[0],"data_offsets":[4,4]}}"#, 4, "names 'a' twice"),
    (
      #"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"\u0061":{"dtype":"U8","shape":[0],"data_offsets":[4,4]}}"#, 4,
      "names 'a' twice"
    ),
    (#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}"#, 6, "overlaps another"),
    (#"{"__metadata__":{"a":1}}"#, 0, #"lacks '"'"#), (#"{"a\ud800":{}}"#, 0, "surrogate"), (#"{"a\x":{}}"#, 0, "unknown escape"),
    (#"{"a"#, 0, "cut off"), (#"{} {}"#, 0, "goes on after its end"), ("[]", 0, "does not begin with '{'"),
    ("{\"\u{1}\":{}}", 0, "control character"),
  ]

  @Test(arguments: faults) func unsound(_ header: String, _ data: Int, _ message: String) throws {
    let scan = try scan(file(header, data: data), "model.safetensors")
    #expect(scan.findings.first?.message.contains(message) == true, "\(scan.findings)")
  }

  @Test func lengths() throws {
    for (bytes, message) in [
      (file("{}", data: 0, length: 3), "longer than the file"), (file("{}", data: 0, length: 200_000_000), "longer than 100000000 bytes"),
      (file("{}", data: 0, length: -1), "longer than 100000000 bytes"), ([1, 2], "shorter than the length"),
      (ContainerTests.evil, "longer than"),
    ] {
      #expect(try scan(bytes, "model.safetensors").findings.first?.message.contains(message) == true)
    }
    // A pickle under that name is still a pickle.
    #expect(try scan(ContainerTests.evil, "model.safetensors").findings.contains { $0.global == "os.system" })
  }
}

extension String {
  fileprivate func replaced(_ old: String, _ new: String) -> String {
    var text = self
    text.replace(old, with: new)
    return text
  }
}
