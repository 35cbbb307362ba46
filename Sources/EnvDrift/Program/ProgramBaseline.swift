/// What a training of one's own is expected to compute: the content of `envctl.baseline.json`. It reads no file.
import EnvCore

/// A recorded run and the bands around it.
public struct ProgramBaseline: Codable, Hashable, Sendable {
  /// The file's name beside `envctl.yaml`.
  public static let fileName = "envctl.baseline.json"
  /// Version of the file format this module reads and writes.
  public static let currentSchema = 1

  /// From here on the runs of a training have nothing to do with each other, and a band of ten times that would hold anything.
  private static let noiseLimit = 0.1

  public var schema: Int
  /// What ran.
  public var command: [String]
  /// Manifest digest of the image it ran in.
  public var image: Digest
  /// The machine it ran on, by name: processor, kernel.
  public var host: [String: String]
  /// How far the runs that were compared with each other lay apart at most, by name; empty where it was not measured.
  public var noise: [String: Double]
  public var run: ProgramRun

  /// Makes a baseline of a complete run.
  ///
  /// - Parameter repetitions: Further runs of the same; how far they lie apart becomes the measured noise.
  /// - Throws: `cannotRecord` when there is nothing to judge by, or a fault; `notHarmless` when the repetitions lie so far apart that a band made
  ///   of it would hold any training.
  public init(
    command: [String], image: Digest, host: [String: String], reader: ProgramRunReader, repetitions: [ProgramRun] = []
  ) throws(DriftError) {
    if let fault = reader.faults.first { throw .cannotRecord(reason: fault.summary) }
    if let fault = Self.contradiction(in: reader.run) { throw .cannotRecord(reason: fault) }
    schema = Self.currentSchema
    self.command = command
    self.image = image
    self.host = host
    noise = [:]
    run = reader.run
    for (index, other) in repetitions.enumerated() {
      for extent in ProgramExtent.all(of: other, against: run, bands: ProgramBands()) {
        let moved = extent.largest ?? 0
        // Written so that a NaN is refused.
        guard moved < Self.noiseLimit else {
          throw .notHarmless(variation: "run \(index + 2)", what: extent.name, moved: moved, limit: Self.noiseLimit)
        }
        noise[extent.band.name] = max(noise[extent.band.name] ?? 0, moved)
      }
    }
  }

  /// Reads the file's bytes; `object` names it in errors.
  ///
  /// - Throws: `unreadableBaseline`, `foreignBaselineSchema` or `inconsistentBaseline`.
  public init(decoding bytes: [UInt8], object: String) throws(DriftError) {
    self = try BaselineFile.decode(bytes, schema: Self.currentSchema, object: object)
    if let reason = Self.contradiction(in: run) { throw .inconsistentBaseline(name: object, reason: reason) }
  }

  /// The file's canonical bytes.
  public func encoded() throws(JSONError) -> [UInt8] { try CanonicalJSON.encode(self) + [UInt8(ascii: "\n")] }

  private static func contradiction(in run: ProgramRun) -> String? {
    if run.isEmpty { return "it has no step, metric, scores or tensor" }
    for (name, series) in run.series {
      if series.steps.isEmpty || series.steps.count != series.values.count { return "its series '\(name)' has no value for each step" }
      if zip(series.steps, series.steps.dropFirst()).contains(where: { $0 >= $1 }) { return "the steps of '\(name)' are not in order" }
    }
    if let announced = run.announcedSteps, let count = run.series.values.map(\.steps.count).max(), count < announced {
      return "it announced \(announced) steps and has \(count)"
    }
    return nil
  }
}
