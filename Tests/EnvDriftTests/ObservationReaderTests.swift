/// Reading the workload's stream: whole, in pieces, and in every damaged form.
import EnvCore
import EnvDrift
import Testing

@Suite struct ObservationReaderTests {
  @Test func completeStream() throws {
    var reader = ObservationReader()
    let records = try reader.read(stream(lines()))
    try reader.finish()
    #expect(records.count == 20)
    let training = try #require(reader.observation.trainings[.float32])
    #expect(training.steps.map(\.step) == Array(1...6))
    #expect(training.steps[2].loss == 1.0 / 3)
    #expect(training.evaluations.map(\.step) == [3, 6])
    #expect(training.evaluations[0].contributions?.first?.parts == ["text": 0.25, "declared": -0.125])
    #expect(training.header.environment.threads == ["openmp": 1, "mkl": nil])
    #expect(training.header.hyperparameters["epsilon"] == .unknown)
    #expect(training.end?.peakMemoryBytes == 1000)
    #expect(reader.observation.workload == Workload(name: "riskmodel", version: "1.0.0"))
  }

  @Test(arguments: [1, 7, 4096]) func piecesOfAnySizeGiveTheSame(size: Int) throws {
    let bytes = stream(lines())
    var reader = ObservationReader()
    var records: [Record] = []
    for start in stride(from: 0, to: bytes.count, by: size) {
      records += try reader.read(bytes[start..<min(start + size, bytes.count)])
    }
    try reader.finish()
    #expect(records.count == 20)
  }

  @Test func interleavedPrecisions() throws {
    let (one, other) = (FakeTraining(precision: .float32).lines, FakeTraining(precision: .float64).lines)
    let observation = observe(zip(one, other).flatMap { [$0, $1] })
    #expect(observation.faults.isEmpty)
    #expect(observation.trainings.values.allSatisfy { $0.end != nil })
  }

  @Test func emptyStream() {
    var reader = ObservationReader()
    #expect { try reader.finish() } throws: { if case DriftError.emptyStream = $0 { true } else { false } }
  }

  @Test func streamCutInALine() throws {
    let bytes = stream(FakeTraining().lines)
    var reader = ObservationReader()
    _ = try reader.read(bytes.dropLast(20))
    #expect {
      try reader.finish()
    } throws: {
      if case DriftError.truncatedStream(line: 10, bytes: FakeTraining().end.utf8.count - 19) = $0 { true } else { false }
    }
    #expect(reader.observation.trainings[.float64]?.steps.count == 6)
    #expect(reader.observation.faults.count == 2, "the line that broke off, and the end that is missing")
  }

  @Test func missingEnd() throws {
    var reader = ObservationReader()
    _ = try reader.read(stream(FakeTraining().lines.dropLast(2)))
    #expect {
      try reader.finish()
    } throws: {
      if case DriftError.missingEnd(precision: .float64, afterStep: 6) = $0 { true } else { false }
    }
  }

  @Test(arguments: ["Segmentation fault", "{}", #"{"record":"dance"}"#, "[1]", "{\"record\":\"step\"}", "\u{FF}"])
  func garbageIsNamedAndTheRestKept(garbage: String) throws {
    var text = FakeTraining().lines
    text.insert(garbage, at: 3)
    var reader = ObservationReader()
    #expect {
      try reader.read(stream(text))
    } throws: {
      guard case DriftError.malformedRecord(line: 4, let excerpt, let reason) = $0 else { return false }
      return excerpt == garbage && !reason.isEmpty
    }
    #expect(reader.observation.trainings[.float64]?.end != nil, "the records after the garbage count")
  }

  @Test(arguments: ["NaN", "Infinity", "-Infinity"]) func notFinite(value: String) throws {
    var reader = ObservationReader()
    let line = FakeTraining().step(1).replacing("\"bce\":0.5", with: "\"bce\":\(value)")
    _ = try reader.read(stream([FakeTraining().header]))
    #expect {
      try reader.read(stream([line]))
    } throws: {
      if case DriftError.notFinite(line: 2, _) = $0 { true } else { false }
    }
  }

  @Test func anEndlessLineIsNotKept() throws {
    var reader = ObservationReader()
    let chunk = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20)
    for _ in 0..<5 { #expect(try reader.read(chunk).isEmpty) }
    #expect {
      try reader.read(stream([""] + FakeTraining().lines))
    } throws: {
      if case DriftError.malformedRecord(line: 1, _, reason: "it is longer than 4.2 MB") = $0 { true } else { false }
    }
    #expect(reader.observation.trainings[.float64]?.end != nil)
  }

  @Test func foreignSchema() {
    var reader = ObservationReader()
    #expect {
      try reader.read(stream([FakeTraining(schema: 2).header]))
    } throws: {
      guard case DriftError.foreignSchema(line: 1, found: 2) = $0 else { return false }
      return DiagnosticChain($0).exitCode == .usage
    }
  }

  @Test func recordsOutOfPlace() {
    let training = FakeTraining()
    let streams: [(lines: [String], expected: String)] = [
      ([training.step(1)], "its run header first"),
      ([training.header, training.header], "one header"),
      ([training.header, training.step(2)], "step 1"),
      ([training.header, training.step(1), training.step(1)], "step 2"),
      ([training.header, training.step(1), training.evaluation(3)], "an evaluation after step 1"),
      ([training.header, training.step(1), training.end], "6 steps"),
      (training.lines + [training.step(7)], "nothing after its end"),
      ([training.header, FakeTraining(precision: .float32, version: "2.0.0").header], "workload riskmodel 1.0.0"),
    ]
    for (lines, expected) in streams {
      var reader = ObservationReader()
      #expect {
        try reader.read(stream(lines))
      } throws: {
        if case DriftError.unexpectedRecord(lines.count, _, expected, _) = $0 { true } else { false }
      }
    }
  }
}
