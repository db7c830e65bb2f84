/// What somebody may have meant.
enum Suggestion {
  /// The name that is nearest to a word, if few letters differ; nil where none is near, or more than one as
  /// near.
  static func nearest(to word: String, among names: [String]) -> String? {
    let most = word.count <= 3 ? 1 : 2
    let near = names.map { (name: $0, distance: distance(word, $0)) }
      .filter { $0.distance <= most && $0.distance < $0.name.count }
    guard let least = near.map(\.distance).min() else { return nil }
    let best = near.filter { $0.distance == least }
    return best.count == 1 ? best[0].name : nil
  }

  /// The command that a word means: by the same letters in another case, by the name that other programs give
  /// it, or by the nearest one.
  static func command(meantBy word: String, among names: [String]) -> String? {
    let lower = word.lowercased()
    if names.contains(lower) { return lower }
    if let known = synonyms[lower], names.contains(known) { return known }
    if lower == "version", names.contains("seed") { return "--version" }
    return nearest(to: lower, among: names)
  }

  private static let synonyms = [
    "list": "ls", "remove": "rm", "delete": "rm", "del": "rm", "info": "inspect",
    "show": "inspect", "download": "join", "get": "join", "fetch": "join", "clone": "join",
    "share": "seed", "check": "verify", "history": "log", "start": "boot", "run": "boot",
    "init": "seed", "commit": "publish", "push": "publish", "make": "create",
  ]

  /// How many letters are to be put in, left out, changed or swapped with their neighbour, to come from one to
  /// the other (optimal string alignment). Both are cut at 64 letters: no name is that long.
  static func distance(_ first: String, _ second: String) -> Int {
    let (a, b) = (Array(first.prefix(64)), Array(second.prefix(64)))
    var before: [Int] = []
    var above = Array(0...b.count)
    for i in 0..<a.count {
      var row = [i + 1]
      for j in 0..<b.count {
        var least = min(row[j] + 1, above[j + 1] + 1, above[j] + (a[i] == b[j] ? 0 : 1))
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
          least = min(least, before[j - 1] + 1)
        }
        row.append(least)
      }
      (before, above) = (above, row)
    }
    return above[b.count]
  }
}
