/// What may not become noise: a calibration or a repetition that moves results by more than rounding can.
import EnvCore
import EnvDrift
import Testing

@Suite struct HarmlessTests {
  private func add(_ change: (inout FakeTraining) -> Void) throws -> Calibration {
    var calibration = Calibration(margin: 4)
    try calibration.add("MKL_CBWR=COMPATIBLE", of: observe(lines(float64: change)), against: observe(lines()))
    return calibration
  }

  @Test func float64MayMoveByRoundingOnly() throws {
    #expect(try add { $0.lossOffset = [2: 4e-13] }.variations == ["MKL_CBWR=COMPATIBLE"])
    let changes: [(inout FakeTraining) -> Void] = [{ $0.lossOffset = [2: 1e-12] }, { $0.scoreOffset = [6: 2e-12] }]
    for change in changes {
      #expect {
        try add(change)
      } throws: { error in
        guard case DriftError.notHarmless("MKL_CBWR=COMPATIBLE", what: "float64", let moved, limit: 1e-12) = error else { return false }
        let text = DiagnosticChain(error)
        return moved > 1e-12 && text.exitCode == .drift && (error as? DriftError)?.summary.contains("MKL_CBWR=COMPATIBLE") == true
      }
    }
  }

  @Test func float32MayMoveFurther() throws {
    var calibration = Calibration(margin: 4)
    try calibration.add("2 threads", of: observe(lines(float32: { $0.lossOffset = [2: 1e-3] })), against: observe(lines()))
    #expect(calibration.variations == ["2 threads"])
  }

  @Test func whatIsRefusedLeavesNothingBehind() throws {
    var calibration = Calibration(margin: 4)
    let varied = observe(lines(float32: { $0.lossOffset = [2: 1e-3] }, float64: { $0.lossOffset = [2: 1] }))
    try? calibration.add("x", of: varied, against: observe(lines()))
    #expect(calibration.envelopes.isEmpty && calibration.variations.isEmpty)
  }

  @Test(arguments: [(0.55, true), (0.6, false)]) func runsOfOneTrainingBelongTogether(loss: Double, isTaken: Bool) throws {
    func reader(_ loss: Double) -> ProgramRunReader {
      .replay(Array(#"{"step":1,"loss":\#(loss)}"#.utf8) + [UInt8(ascii: "\n")])
    }
    func record() throws -> ProgramBaseline {
      try ProgramBaseline(
        command: ["train"], image: try digest("9"), host: [:], reader: reader(0.5), repetitions: [reader(0.5).run, reader(loss).run])
    }
    if isTaken {
      #expect(try record().noise["loss"] ?? 0 > 0.09)
    } else {
      #expect {
        try record()
      } throws: {
        if case DriftError.notHarmless("run 3", what: "loss", _, limit: 0.1) = $0 { true } else { false }
      }
    }
  }
}
