/// Draws a plot as SVG 1.1 that takes its colours and sizes from the page's style, so that one picture serves light, dark and small screens.

extension Plot {
  /// The drawing, in units of a page-wide column.
  private enum Frame {
    static let width = 520.0
    static let height = 338.0
    static let left = 62.0
    static let right = 506.0
    static let top = 34.0
    static let bottom = 284.0
    /// What a row for zero takes of the height.
    static let zeroRow = 38.0
  }

  /// - Parameter id: unique in the page.
  public func svg(id: String) -> Markup {
    """
    <svg class="plot" viewBox="0 0 \(coordinate(Frame.width)) \(coordinate(Frame.height))" role="img" aria-labelledby="\(id)-t \(id)-d">
    <title id="\(id)-t">\(title)</title>
    <desc id="\(id)-d">\(summary)</desc>
    \(grid)
    \(marks.map(draw))
    \(frame)
    </svg>
    """
  }

  /// The lower end of the y axis; below it is the row for zero, if there is one.
  private var floor: Double { y.hasZeroRow ? Frame.bottom - Frame.zeroRow : Frame.bottom }

  private func horizontal(_ value: Double) -> Double? {
    x.position(of: value).map { Frame.left + $0 * (Frame.right - Frame.left) }
  }

  private func vertical(_ value: Double) -> Double? {
    if y.hasZeroRow, value == 0 { return Frame.bottom - Frame.zeroRow / 2 }
    return y.position(of: value).map { floor - $0 * (floor - Frame.top) }
  }

  private func place(_ point: Point) -> Place? {
    guard let x = horizontal(point.x), let y = vertical(point.y) else { return nil }
    return Place(x: x, y: y)
  }

  // MARK: Axes

  private var grid: [Markup] {
    let rows = y.ticks.compactMap { tick -> Markup? in
      guard let height = vertical(tick.value) else { return nil }
      return """
        <path class="grid" d="M\(coordinate(Frame.left)) \(coordinate(height))H\(coordinate(Frame.right))"/>\
        <text class="tick" x="\(coordinate(Frame.left - 9))" y="\(coordinate(height))" dy=".35em" text-anchor="end">\(tick.label)</text>
        """
    }
    let columns = x.ticks.compactMap { tick -> Markup? in
      guard let place = horizontal(tick.value) else { return nil }
      return """
        <path class="grid" d="M\(coordinate(place)) \(coordinate(Frame.bottom))v5"/>\
        <text class="tick" x="\(coordinate(place))" y="\(coordinate(Frame.bottom + 22))" text-anchor="middle">\(tick.label)</text>
        """
    }
    return rows + columns
  }

  private var frame: [Markup] {
    var parts: [Markup] = [
      """
      <path class="axis" d="M\(coordinate(Frame.left)) \(coordinate(Frame.bottom))H\(coordinate(Frame.right))"/>\
      <text class="label" x="\(coordinate(Frame.right))" y="\(coordinate(Frame.height - 8))" text-anchor="end">\(x.label)</text>\
      <text class="label" x="4" y="16">\(y.label)</text>
      """
    ]
    if y.hasZeroRow {
      parts.append(
        """
        <path class="axis" d="M\(coordinate(Frame.left)) \(coordinate(floor))H\(coordinate(Frame.right))"/>\
        <text class="tick" x="\(coordinate(Frame.left - 9))" y="\(coordinate(Frame.bottom - Frame.zeroRow / 2))" dy=".35em" \
        text-anchor="end">0</text>
        """)
    }
    return parts
  }

  // MARK: Marks

  private func draw(_ mark: Mark) -> Markup {
    switch mark {
    case .line(let points, let role): return path(line(points.map(place)), "line", role)
    case .dots(let points, let role):
      let places = points.compactMap(place)
      // A triangle is told from a dot without its colour.
      return role == .beyond ? path(places.map(triangle).joined(), "shape", role) : path(places.map(dot).joined(), "dots", role)
    case .region(let lower, let upper, let role):
      let outline = upper.compactMap(place) + lower.reversed().compactMap(place)
      return path(outline.isEmpty ? "" : line(outline) + "Z", "region", role)
    case .level(let value, let name, let role):
      guard let height = vertical(value) else { return "" }
      return """
        \(path("M\(coordinate(Frame.left)) \(coordinate(height))H\(coordinate(Frame.right))", "rule", role))\
        <text class="name \(role.rawValue)" x="\(coordinate(Frame.right))" y="16" text-anchor="end">\(name)</text>
        """
    case .moment(let value, let name, let role):
      guard let place = horizontal(value) else { return "" }
      let isRight = place > (Frame.left + Frame.right) / 2
      return """
        \(path("M\(coordinate(place)) \(coordinate(Frame.top))V\(coordinate(Frame.bottom))", "rule", role))\
        <text class="name \(role.rawValue)" x="\(coordinate(place + (isRight ? -6 : 6)))" y="\(coordinate(Frame.top + 12))" \
        text-anchor="\(isRight ? "end" : "start")">\(name)</text>
        """
    case .diagonal(let role):
      let (start, end) = (max(x.lower, y.lower), min(x.upper, y.upper))
      return path(line([Point(start, start), Point(end, end)].map(place)), "rule", role)
    }
  }

  private func path(_ data: String, _ kind: String, _ role: Role) -> Markup {
    data.isEmpty ? "" : "<path class=\"\(kind) \(role.rawValue)\" d=\"\(data)\"/>"
  }

  private func line(_ places: [Place?]) -> String {
    var data = ""
    var isPenDown = false
    for place in places {
      if let place { data += (isPenDown ? "L" : "M") + "\(coordinate(place.x)) \(coordinate(place.y))" }
      isPenDown = place != nil
    }
    return data
  }

  /// A stroke of no length: with round ends it is a dot.
  private func dot(_ place: Place) -> String { "M\(coordinate(place.x)) \(coordinate(place.y))h0" }

  private func triangle(_ place: Place) -> String { "M\(coordinate(place.x)) \(coordinate(place.y - 4.6))l4.2 7.4h-8.4Z" }
}

/// A point of the drawing; y grows downwards.
private struct Place {
  var x: Double
  var y: Double
}

/// With one digit after the point, which is finer than any screen.
private func coordinate(_ value: Double) -> String {
  let tenths = Int((min(max(value, -99_999), 99_999) * 10).rounded())
  let text = "\(abs(tenths) / 10)" + (tenths % 10 == 0 ? "" : ".\(abs(tenths) % 10)")
  return tenths < 0 ? "-" + text : text
}
