/// A check as one self-contained HTML page: no script, no font, no picture from elsewhere, and a content policy that forbids them.
import EnvCore
import EnvDrift

/// The page of `envctl report`.
public struct CheckPage: Sendable {
  /// The document; well-formed as XML too.
  public let html: String

  /// - Parameter generator: The program and its version, for the foot of the page.
  public init(_ report: CheckReport, generator: String) {
    let page: Markup = """
      <!DOCTYPE html>
      <html lang="en" xmlns="http://www.w3.org/1999/xhtml">
      <head>
      <meta charset="utf-8"/>
      <meta name="viewport" content="width=device-width, initial-scale=1"/>
      <meta name="color-scheme" content="light dark"/>
      <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"/>
      <title>\(report.outcome): \(report.subject)</title>
      <style>
      \(Self.style)
      </style>
      </head>
      <body>
      <main>
      \(Self.head(report))
      \(Self.breakages(report))
      \(Self.reason(report))
      \(Self.tiers(report))
      \(Self.comparisons(report))
      \(Self.curves(report))
      \(Self.scatters(report))
      \(Self.differences(report))
      \(Self.sections(report))
      \(Self.facts(report))
      </main>
      <footer>\(generator)</footer>
      </body>
      </html>

      """
    html = page.text
  }

  // MARK: Parts

  private static func head(_ report: CheckReport) -> Markup {
    """
    <header class="\(report.standing.rawValue)">
    <p class="subject">\(report.subject)</p>
    <h1><span class="sign" aria-hidden="true">\(report.standing.sign)</span>\(report.outcome)</h1>
    <p class="sentence">\(report.sentence)</p>
    </header>
    """
  }

  private static func breakages(_ report: CheckReport) -> Markup {
    guard !report.breakages.isEmpty else { return "" }
    let items = report.breakages.map { "<li>\($0)</li>" as Markup }
    return section("What broke", "<ul>\(items)</ul>")
  }

  private static func reason(_ report: CheckReport) -> Markup {
    guard let reason = report.reason else { return "" }
    let rows = reason.suspects.enumerated().map { index, suspect -> [Markup] in
      let difference = suspect.difference
      let objects = suspect.objects == 0 ? "" : " and \(suspect.objects) of its shared objects"
      return [
        "\(index + 1). \(difference.kind.rawValue) \(difference.name)\(objects)", "\(difference.expected ?? "absent")",
        "\(difference.actual ?? "absent")",
      ]
    }
    let suspects: Markup =
      rows.isEmpty
      ? "<p class=\"quiet\">Nothing that differs in the environment could have done this.</p>"
      : table(["What could have done it, the likeliest first", "Baseline", "This run"], rows, style: "stacked")
    return section("Why", "<p>\(reason.sentence)</p>\n\(suspects)")
  }

  private static func tiers(_ report: CheckReport) -> Markup {
    guard !report.tiers.isEmpty else { return "" }
    let rows = report.tiers.map { tier -> [Markup] in
      let state: Markup = "<span class=\"pill \(tier.standing.rawValue)\">\(tier.standing.sign) \(tier.standing.rawValue)</span>"
      return ["\(tier.name)", "\(tier.summary)", state]
    }
    return section("Tier by tier", table(["Tier", "What was compared", "Verdict"], rows, style: "numbers"))
  }

  private static func comparisons(_ report: CheckReport) -> Markup {
    guard !report.rows.isEmpty else { return "" }
    let rows = report.rows.map { row -> [Markup] in
      let place = row.step.map { ", step \($0)" } ?? ""
      let deviation = row.largest.map { $0 == 0 ? "none" : scientific($0) + place } ?? (row.agreement == .equalBits ? "none" : "differs")
      let agreement: Markup = "<span class=\"pill \(row.agreement.style)\">\(row.agreement.sign) \(row.agreement.rawValue)</span>"
      return ["\(row.name)", "\(deviation)", "\(row.band.map(scientific) ?? "–")", "\(row.share)", agreement]
    }
    return section(
      "How far off", table(["What", "Largest deviation", "Band", "Against the band", "Verdict"], rows, style: "numbers"))
  }

  private static func curves(_ report: CheckReport) -> Markup {
    let figures = report.curves.enumerated().flatMap { index, curve -> [Markup] in
      [
        figure(curve.overlay, id: "curve\(index)", key: [.baseline, .run]),
        figure(curve.deviation, id: "off\(index)", key: [.run, .beyond, .band]),
      ]
    }
    return figures.isEmpty ? "" : section("Step by step", "<div class=\"pair\">\(figures)</div>")
  }

  private static func scatters(_ report: CheckReport) -> Markup {
    let figures = report.scatters.enumerated().flatMap { index, scatter -> [Markup] in
      [
        figure(scatter.plot, id: "scores\(index)", key: [.run, .beyond]),
        figure(scatter.deviation, id: "scoresOff\(index)", key: [.run, .beyond, .band]),
      ]
    }
    return figures.isEmpty ? "" : section("Scores, expected and measured", "<div class=\"pair\">\(figures)</div>")
  }

  private static func differences(_ report: CheckReport) -> Markup {
    guard !report.differences.isEmpty else {
      // What broke before it could tell what it ran on shows no agreement.
      if report.standing == .broken { return "" }
      return section(
        "What differs in the environment", "<p class=\"quiet\">Nothing that is recorded differs from the baseline's environment.</p>")
    }
    let rows = report.differences.map { item -> [Markup] in
      ["\(item.kind.rawValue)", "\(item.name)", "\(item.expected ?? "absent")", "\(item.actual ?? "absent")"]
    }
    return section("What differs in the environment", table(["Kind", "Name", "Baseline", "This run"], rows, style: "stacked"))
  }

  private static func sections(_ report: CheckReport) -> Markup {
    let parts = report.sections.enumerated().map { index, part -> Markup in
      let blocks = part.blocks.enumerated().map { number, block -> Markup in
        switch block {
        case .text(let text): "<p>\(text)</p>"
        case .plots(let plots):
          "<div class=\"pair\">\(plots.enumerated().map { figure($1, id: "part\(index)-\(number)-\($0)", key: [.run, .beyond]) })</div>"
        case .table(let head, let rows): folded(table(head, rows.map { $0.map { "\($0)" } }, style: "stacked"), rows: rows.count)
        }
      }
      return section(part.title, "\(blocks)")
    }
    return "\(parts)"
  }

  private static func facts(_ report: CheckReport) -> Markup {
    let facts = report.facts.map { "<div><dt>\($0.name)</dt><dd>\($0.value)</dd></div>" as Markup }
    return facts.isEmpty ? "" : section("The run", "<dl>\(facts)</dl>")
  }

  // MARK: Pieces

  private static func section(_ title: String, _ body: Markup) -> Markup { "<section>\n<h2>\(title)</h2>\n\(body)\n</section>" }

  /// On a narrow screen each cell tells its column itself.
  private static func table(_ head: [String], _ rows: [[Markup]], style: String) -> Markup {
    let columns = head.map { "<th scope=\"col\">\($0)</th>" as Markup }
    let lines = rows.map { row -> Markup in
      let cells = zip(head, row).enumerated().map { index, cell -> Markup in
        index == 0 ? "<th scope=\"row\">\(cell.1)</th>" : "<td data-label=\"\(cell.0)\">\(cell.1)</td>"
      }
      return "<tr>\(cells)</tr>"
    }
    return "<table class=\"\(style)\">\n<thead><tr>\(columns)</tr></thead>\n<tbody>\n\(lines)\n</tbody>\n</table>"
  }

  /// A long table is opened by who wants it.
  private static func folded(_ table: Markup, rows: Int) -> Markup {
    rows <= 20 ? table : "<details>\n<summary>All \(rows) in a table</summary>\n\(table)\n</details>"
  }

  private static func figure(_ plot: Plot, id: String, key: [Plot.Role]) -> Markup {
    let used = key.filter { role in plot.marks.contains { $0.shows(role) } }
    let samples = used.map { role -> Markup in
      let mark = plot.marks.first { $0.shows(role) }
      return "<span class=\"key\">\(sample(role, isLine: mark?.isLine ?? false))\(role.name)</span>"
    }
    return """
      <figure>
      <figcaption><h3>\(plot.title)</h3><p>\(plot.summary)</p><p class="keys">\(samples)</p></figcaption>
      \(plot.svg(id: id))
      </figure>
      """
  }

  private static func sample(_ role: Plot.Role, isLine: Bool) -> Markup {
    let form: Markup =
      switch (role, isLine) {
      case (.beyond, _): "<path class=\"shape beyond\" d=\"M11 2l4.6 8h-9.2Z\"/>"
      case (.band, _): "<path class=\"region band\" d=\"M0 1h22v10h-22Z\"/><path class=\"rule band\" d=\"M0 1.5h22\"/>"
      case (_, true): "<path class=\"line \(role.rawValue)\" d=\"M1 6h20\"/>"
      case (_, false): "<path class=\"dots \(role.rawValue)\" d=\"M11 6h0\"/>"
      }
    return "<svg class=\"sample\" viewBox=\"0 0 22 12\" aria-hidden=\"true\">\(form)</svg>"
  }
}

extension CheckReport.Standing {
  /// Told apart without colour.
  fileprivate var sign: String {
    switch self {
    case .identical: "="
    case .equivalent: "≈"
    case .drift: "≠"
    case .broken: "×"
    }
  }
}

extension CheckReport.Row {
  /// The deviation as a share of its band.
  fileprivate var share: String {
    guard let largest, let band, band > 0 else { return "–" }
    let share = largest / band
    if share == 0 { return "0 %" }
    if share < 0.001 { return "< 0.1 %" }
    if share <= 1 { return "\(decimal(share * 100, digits: 1)) %" }
    return "\(share < 1e4 ? decimal(share, digits: share < 10 ? 1 : 0) : scientific(share)) ×"
  }
}

extension CheckReport.Row.Agreement {
  fileprivate var style: String {
    switch self {
    case .equalBits: "identical"
    case .withinBand, .otherBits: "equivalent"
    case .beyondBand: "drift"
    }
  }

  fileprivate var sign: String {
    switch self {
    case .equalBits: "="
    case .withinBand, .otherBits: "≈"
    case .beyondBand: "≠"
    }
  }
}

extension Plot.Role {
  fileprivate var name: String {
    switch self {
    case .baseline: "baseline"
    case .run: "this run"
    case .band: "band"
    case .beyond: "beyond the band"
    case .guide: ""
    }
  }
}

extension Plot.Mark {
  fileprivate var isLine: Bool { if case .line = self { true } else { false } }

  fileprivate func shows(_ role: Plot.Role) -> Bool {
    switch self {
    case .line(let points, let own), .dots(let points, let own): own == role && !points.isEmpty
    case .region(_, _, let own), .level(_, _, let own), .moment(_, _, let own), .diagonal(let own): own == role
    }
  }
}
