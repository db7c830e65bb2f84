import ArgumentParser
import Metainfo
import SwarmNode

/// `swarm diff`: what differs between two versions of a dataset.
struct Diff: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diff",
    abstract: "List the files that differ between two versions of a dataset.",
    discussion: """
      With the bytes to fetch to get from the old version to the new one: whole pieces that differ at the \
      same place of a file. The exit status is 0 whether they differ or not. What is not known here of the \
      versions is asked of everyone who shares the dataset, and kept.

      @FILE reads the link from a file, - from standard input: a private dataset's link is a secret.

      Examples:
        swarm diff photos 1            the first version and the newest
        swarm diff KEY 3 4
      """)

  @Argument(
    help: "A dataset's key, a link that has it, or a path that is published.", completion: .file())
  var subject: BytePath

  @Argument(help: "The number of the old version.")
  var old: UInt64

  @Argument(help: "The number of the new version. (default: the newest)")
  var new: UInt64?

  @OptionGroup var lookup: LookupOptions
  @OptionGroup var options: StateOptions

  func run() throws {
    let state = try options.stateFolder()
    var dataset = try KnownDataset(subject.bytes, state: state)
    var others = VersionLookup(
      dataset, state: state, options: lookup,
      display: options.isJSON ? nil : StatusDisplay(isJSON: false))
    if old == 0 || new == 0 { throw Failure("there is no version 0: they are counted from 1") }
    try others.find(new.map { .version($0) } ?? .newest(1))
    if others.shortfall == nil { try others.find(.version(old)) }
    try dataset.update()
    guard let newest = dataset.head.map({ UInt64($0.version) }) else {
      throw Failure(others.shortfall ?? "no version of \(dataset.key) is known here")
    }
    var (before, after) = (
      try kept(old, dataset, others), try kept(new ?? newest, dataset, others)
    )
    var diff = try Self.diff(before, after)
    if diff.isEstimate {
      try others.findLayers(Self.filesToAsk(diff, before, after)) {
        guard let (old, new) = Self.both(before, after, state) else { return false }
        return (try? Self.diff(old, new))?.isEstimate == false
      }
      (before, after) = Self.both(before, after, state) ?? (before, after)
      diff = try Self.diff(before, after)
    }
    let view = DiffView(diff)
    if options.isJSON {
      let head: [(String, JSON)] = [
        ("dataset_key", .text(dataset.key.hex)), ("old", .number(old)),
        ("new", .number(new ?? newest)),
      ]
      try Console.result(JSON.object(head + view.json).rendered)
      return
    }
    try Console.result((view.lines + [view.summary]).joined(separator: "\n"))
  }

  private func kept(
    _ number: UInt64, _ dataset: KnownDataset, _ others: VersionLookup
  ) throws(Failure) -> KeptVersion {
    if let kept = dataset.version(number) { return kept }
    throw Failure(
      "what is in version \(number) is not known here"
        + (others.shortfall.map { "; \($0)" } ?? ""))
  }

  /// Both versions as they are kept by now.
  private static func both(
    _ old: KeptVersion, _ new: KeptVersion, _ state: StateFolder
  ) -> (KeptVersion, KeptVersion)? {
    guard let before = old.torrent.info.infohashV2.flatMap({ state.keptVersion($0) }),
      let after = new.torrent.info.infohashV2.flatMap({ state.keptVersion($0) })
    else { return nil }
    return (before, after)
  }

  private static func diff(_ old: KeptVersion, _ new: KeptVersion) throws(Failure) -> VersionDiff {
    let (old, new) = (old.torrent, new.torrent)
    guard let diff = VersionDiff(from: old.info, old.pieceLayers, to: new.info, new.pieceLayers)
    else {
      throw Failure("a v1 torrent has no hashes of its files by which they could be compared")
    }
    return diff
  }

  /// The files of both whose piece layers tell more, by their places.
  private static func filesToAsk(
    _ diff: VersionDiff, _ old: KeptVersion, _ new: KeptVersion
  ) -> [(torrent: KnownTorrent, files: [Int])] {
    let paths = Set(diff.files.filter(\.isEstimate).map(\.path))
    return [old.torrent, new.torrent].map { torrent in
      let files = torrent.info.files.indices.filter { index in
        let file = torrent.info.files[index]
        let isMeant = paths.contains(file.path) || torrent.info.files.count == 1
        guard isMeant, let root = file.piecesRoot else { return false }
        return file.length > UInt64(torrent.info.pieceLength) && torrent.pieceLayers[root] == nil
      }
      return (torrent, Array(files))
    }
  }
}
