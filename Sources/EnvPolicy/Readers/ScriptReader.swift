/// Shell and Slurm batch scripts, and Apptainer definition files.
import StrictYAML

enum ScriptReader {
  /// A shell script; `#SBATCH` lines are options of sbatch.
  static func read(_ source: SourceText, into collector: inout Collector) {
    let start = source.byteOrderMark
    let text = MappedText(source.bytes, start..<source.bytes.count)
    let name = source.path.split(separator: "/").last.map(String.init) ?? source.path
    collector.check(script: text, ScriptContext(user: name))
    guard source.contains("#SBATCH") else { return }
    for line in source.lineStarts.indices {
      let range = source.lineRange(line)
      guard source.bytes[range].starts(with: Array("#SBATCH".utf8)) else { continue }
      let options = MappedText(source.bytes, (range.lowerBound + 7)..<range.upperBound)
      for command in ShellScript(options).commands {
        for image in ContainerCommands.containerImages(command.words, "#SBATCH", options) {
          collector.check(image, options, ScriptContext(user: name), range.lowerBound)
        }
      }
    }
  }

  /// An Apptainer definition file: header keywords, then sections that begin with `%` ("Definition Files" in its guide).
  static func readDefinition(_ source: SourceText, into collector: inout Collector) {
    var bootstrap = ""
    var sectionStart: Int?
    func endSection(_ end: Int, _ collector: inout Collector) {
      guard let start = sectionStart, start < end else { return }
      let context = ScriptContext(user: "%post", isImageFile: true)
      collector.check(script: MappedText(source.bytes, start..<end), context)
      sectionStart = nil
    }
    for line in source.lineStarts.indices {
      let range = source.lineRange(line)
      let text = source.text(range)
      let words = text.split { $0 == " " || $0 == "\t" }
      if let first = words.first, first.hasPrefix("%") {
        endSection(range.lowerBound, &collector)
        if first == "%post" || first == "%setup" { sectionStart = line + 1 < source.lineStarts.count ? source.lineStarts[line + 1] : nil }
        continue
      }
      guard sectionStart == nil, let colon = text.firstIndex(of: ":") else { continue }
      let key = text[..<colon].lowercased().filter { $0 != " " && $0 != "\t" }
      let value = text[text.index(after: colon)...].split { $0 == " " || $0 == "\t" }.first.map(String.init) ?? ""
      if key == "bootstrap" { bootstrap = value.lowercased() }
      guard key == "from", bootstrap == "docker", !value.isEmpty, let place = text.range(ofASCII: value) else { continue }
      let start = range.lowerBound + text.utf8.distance(from: text.startIndex, to: place)
      let image = MappedText(source.bytes, start..<(start + value.utf8.count))
      collector.check(
        ImageMention(
          user: "From", range: start..<(start + value.utf8.count), statement: range.lowerBound,
          expansion: Expansion(image, 0..<image.count, [:]),
          digestForm: .insteadOfTag))
    }
    endSection(source.bytes.count, &collector)
  }
}
