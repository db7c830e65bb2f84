import Metainfo
import SwarmNode

/// What is said when a path gets a key of its own.
enum NewDataset {
  /// Paths that are gone and are named.
  private static let mostGone = 3

  /// Where the key's secret is: without it there are no further versions.
  static func note(_ key: DatasetKey, in state: StateFolder) -> String {
    "a new key: its secret is in \(printable(state.keys.file(of: key))); keep a copy (swarm key export)"
  }

  /// What may be wrong where somebody publishes versions, and this path had none before.
  static func warning(_ source: PublishedSource, in state: StateFolder) -> String {
    var text =
      "\(printable(source.path)) was not published from here before: it has a new key, and people who follow "
      + "another link get nothing of this. To go on with a dataset: swarm publish \(printable(source.path)) "
      + "--key KEY (swarm key list)"
    if let (key, number) = state.fetchedVersion(at: source.path) {
      text += "; this is version \(number) of \(key), which you follow"
    }
    let gone = ((try? state.publishedSources()) ?? []).filter {
      $0.key != source.key && (try? RealPath.resolve($0.path)) == nil
    }
    for each in gone.prefix(mostGone) {
      text +=
        "; \(printable(each.path)), published under \(each.key.hex.prefix(12))…, is not there any more: was it "
        + "moved?"
    }
    return text
  }
}

extension StateFolder {
  /// Does what publishes a path. Where it fails and nothing was ever published, the key that the path has got for it
  /// goes again: it would stay in the list of keys for ever.
  func publishing<Result>(
    _ source: PublishedSource, _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    do throws(Failure) { return try body() } catch {
      forget(unpublished: source)
      throw error
    }
  }
}
