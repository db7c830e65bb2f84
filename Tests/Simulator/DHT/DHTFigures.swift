/// What lookups of one kind took in one phase.
public struct DHTFigures: Sendable {
  /// Lookups that had something to find or to store, and those that did.
  public var tried = 0
  /// How many of these found or stored it.
  public var succeeded = 0
  /// Seconds to the first thing that was found, and to the end.
  public var found: [Double] = []
  /// Seconds to the end.
  public var ended: [Double] = []
  /// Nodes that told of each other on the way, the longest chain of each lookup.
  public var hops: [Int] = []
  /// Nodes that were asked in each lookup.
  public var asked: [Int] = []

  /// 1 where there was nothing to try.
  public var rate: Double { tried == 0 ? 1 : Double(succeeded) / Double(tried) }

  /// The value below which a share of all lies.
  static func quantile(_ share: Double, of values: [Double]) -> Double {
    guard !values.isEmpty else { return 0 }
    return values.sorted()[min(values.count - 1, Int(share * Double(values.count)))]
  }

  var line: String {
    func text(_ value: Double) -> String { "\(Double(Int(value * 100 + 0.5)) / 100)" }
    let all = hops.reduce(0, +)
    return "\(succeeded) of \(tried) (\(text(rate * 100)) %), found in "
      + "\(text(Self.quantile(0.5, of: found))) s (p90 \(text(Self.quantile(0.9, of: found)))), over in "
      + "\(text(Self.quantile(0.5, of: ended))) s (p99 \(text(Self.quantile(0.99, of: ended)))), "
      + "hops \(text(Double(all) / Double(max(1, hops.count)))) (most \(hops.max() ?? 0)), asked "
      + "\(text(Double(asked.reduce(0, +)) / Double(max(1, asked.count)))) nodes"
  }
}

/// What became of a run.
public struct DHTReport: Sendable {
  /// nil when all was as it must be.
  public var failure: String?
  /// Figures by phase and kind of lookup, in order.
  public var figures: [(name: String, figures: DHTFigures)] = []
  /// Other things that were measured, a line each.
  public var notes: [String] = []
  /// A hash of all datagrams that came to somebody: the same for the same seed.
  public var hash: UInt64 = 0
  /// Datagrams that came to somebody.
  public var delivered = 0

  /// All of it, a line each.
  public var summary: String {
    let lines = figures.map { "  \($0.name): \($0.figures.line)" } + notes.map { "  " + $0 }
    return lines.joined(separator: "\n")
  }
}
