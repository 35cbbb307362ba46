/// Reads a workload's output as it comes, chunk by chunk, into records and an `Observation`. It does no I/O.
import EnvCore

/// A streaming reader of records.
///
/// Whatever it throws, `observation` keeps what was recorded until then, and reading may go on with the next chunk.
public struct ObservationReader: ~Copyable {
  /// What was read so far.
  public private(set) var observation = Observation()
  private var pending: [UInt8] = []
  /// A record is at most some 30 kB; a longer line is something else, and must not fill the memory.
  private static let longestLine = 1 << 22
  private var line = 0

  /// A reader at the beginning of a stream.
  public init() {}

  /// Takes the next bytes of the stream and returns the records whose lines they complete, for showing progress.
  ///
  /// - Throws: the first fault in these bytes; the records after it are read all the same, but not returned.
  public mutating func read(_ bytes: some Sequence<UInt8>) throws(DriftError) -> [Record] {
    var records: [Record] = []
    var fault: DriftError?
    for byte in bytes {
      guard byte == UInt8(ascii: "\n") else {
        if pending.count <= Self.longestLine { pending.append(byte) }
        continue
      }
      do {
        if let record = try readLine() { records.append(record) }
      } catch {
        observation.faults.append(error)
        fault = fault ?? error
      }
    }
    if let fault { throw fault }
    return records
  }

  /// Says that the stream is at its end.
  ///
  /// - Throws: `truncatedStream`, `emptyStream` or `missingEnd` if it is not complete.
  public mutating func finish() throws(DriftError) {
    var found: [DriftError] = []
    if !pending.isEmpty { found.append(.truncatedStream(line: line + 1, bytes: pending.count)) }
    if line == 0, pending.isEmpty { found.append(.emptyStream) }
    for (precision, training) in observation.trainings.sorted(by: { $0.key < $1.key }) where !training.isConcluded {
      found.append(.missingEnd(precision: precision, afterStep: training.steps.count))
    }
    pending = []
    observation.faults += found
    if let first = found.first { throw first }
  }

  /// Decodes the pending line and adds its record; an empty line is passed over.
  private mutating func readLine() throws(DriftError) -> Record? {
    line += 1
    let text = pending
    pending.removeAll(keepingCapacity: true)
    if text.isEmpty { return nil }
    guard text.count <= Self.longestLine else {
      let excerpt = String(decoding: text.prefix(120), as: UTF8.self)
      throw .malformedRecord(line: line, excerpt: excerpt, reason: "it is longer than \(ByteCount(Self.longestLine))")
    }
    let record: Record
    do {
      record = try CanonicalJSON.decode(Record.self, from: text, object: "the line")
    } catch {
      throw refusal(of: text, because: error)
    }
    try observation.add(record, line: line)
    return record
  }

  private func refusal(of text: [UInt8], because error: JSONError) -> DriftError {
    let excerpt = String(decoding: text.prefix(120), as: UTF8.self)
    // JSON has no such numbers, but Python and others write them where they are not told otherwise.
    let tokens = String(decoding: text, as: UTF8.self).split { !$0.isLetter }
    if text.first == UInt8(ascii: "{"), tokens.contains("NaN") || tokens.contains("Infinity") {
      return .notFinite(line: line, excerpt: excerpt)
    }
    guard case .unreadable(_, let reason, _) = error else { return .malformedRecord(line: line, excerpt: excerpt, reason: error.summary) }
    return .malformedRecord(line: line, excerpt: excerpt, reason: reason)
  }
}

extension Observation {
  /// Adds a record where it belongs, or says what was due instead.
  fileprivate mutating func add(_ record: Record, line: Int) throws(DriftError) {
    let precision = record.precision
    func unexpected(_ expected: String, _ found: String) -> DriftError {
      .unexpectedRecord(line: line, precision: precision, expected: expected, found: found)
    }
    if case .run(let header) = record {
      guard header.schema == Observation.schema else { throw .foreignSchema(line: line, found: header.schema) }
      guard trainings[precision] == nil else { throw unexpected("one header", "a second one") }
      let workload = Workload(name: header.workload, version: header.version)
      guard self.workload ?? workload == workload else { throw unexpected("workload \(self.workload?.description ?? "")", "\(workload)") }
      trainings[precision] = Training(header: header)
      return
    }
    guard var training = trainings[precision] else {
      guard case .failure(let failure) = record else { throw unexpected("its run header first", "another record") }
      earlyFailures.append(failure)
      return
    }
    guard !training.isConcluded else { throw unexpected("nothing after its end", "another record") }
    let last = training.steps.count
    switch record {
    case .run: break
    case .operator(let profile):
      guard !training.operators.contains(where: { $0.operator == profile.operator }) else {
        throw unexpected("operator '\(profile.operator)' once", "a second one")
      }
      training.operators.append(profile)
    case .step(let step):
      guard step.step == last + 1 else { throw unexpected("step \(last + 1)", "step \(step.step)") }
      training.steps.append(step)
    case .evaluation(let evaluation):
      guard evaluation.step == last else { throw unexpected("an evaluation after step \(last)", "one after step \(evaluation.step)") }
      training.evaluations.append(evaluation)
    case .artifact(let artifact): training.artifact = artifact
    case .inference(let inference): training.inferences.append(inference)
    case .end(let end):
      guard last == training.header.steps else { throw unexpected("\(training.header.steps) steps", "the end after step \(last)") }
      training.end = end
    case .failure(let failure): training.failure = failure
    }
    trainings[precision] = training
  }
}
