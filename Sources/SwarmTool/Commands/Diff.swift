import ArgumentParser
import Metainfo
import SwarmNode

/// `swarm diff`: what differs between two versions of a dataset.
struct Diff: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List the files that differ between two versions of a dataset.",
    discussion: """
      With the bytes that somebody who has the one must fetch to have the other: whole pieces that \
      differ at the same place of a file. The exit status says nothing about whether they differ.
      """)

  @Argument(
    help: "A dataset's key, a link that has it, or a path that is published.", completion: .file())
  var subject: BytePath

  @Argument(help: "The number of the old version.")
  var old: UInt64

  @Argument(help: "The number of the new version. (default: the newest)")
  var new: UInt64?

  @OptionGroup var options: StateOptions

  func run() throws {
    let state = try options.stateFolder()
    let dataset = try KnownDataset(subject.bytes, state: state)
    guard let newest = dataset.head.map({ UInt64($0.version) }) else {
      throw Failure("no version of \(dataset.key) is known here")
    }
    let (before, after) = (try kept(old, dataset, newest), try kept(new ?? newest, dataset, newest))
    guard
      let diff = VersionDiff(
        from: before.torrent.info, before.torrent.pieceLayers, to: after.torrent.info,
        after.torrent.pieceLayers)
    else {
      throw Failure("a v1 torrent has no hashes of its files by which they could be compared")
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
    _ number: UInt64, _ dataset: KnownDataset, _ newest: UInt64
  ) throws(Failure) -> KeptVersion {
    if let kept = dataset.version(number) { return kept }
    throw Failure(
      number == 0 || number > newest
        ? "there is no version \(number): the newest known here is \(newest)"
        : "what is in version \(number) is not known here")
  }
}
