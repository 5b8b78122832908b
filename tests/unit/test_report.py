"""The archive for a report: what is in it, what is masked, and that it overwrites nothing."""

import os
import stat
import tarfile
from pathlib import Path
from typing import Dict

import pytest

from kexec_initd import cli
from kexec_initd.errors import Error
from kexec_initd.system.host import gather
from kexec_initd.verbs import report
from kexec_initd.verbs.masking import LONGEST, MASK, mask
from tests.unit.fake_host import FakeHost, with_kernel

# In each line "s3cr3t" and "w0rd" are the secret, "kept" is to stay.
LINES = r"""
root=/dev/kept password=s3cr3t kept
password="s3cr3t w0rd" kept
password="s3cr3t w0rd
kept "password=s3cr3t w0rd"
kept rd.luks.key=/s3cr3t:UUID=w0rd kept
cryptkey=s3cr3t:ext4:/w0rd kept
pass=my\ s3cr3t kept
pass="s3cr3t"w0rd kept
KEPT_TOKEN='s3cr3t w0rd' kept
api-key: s3cr3t w0rd
PrivateKey = s3cr3t w0rd
kept; password_pbkdf2 root grub.pbkdf2.sha512.10000.s3cr3t.w0rd
set kept=1; password root s3cr3t
password --md5 $1$s3cr3t$w0rd kept
MENU MASTER PASSWD $4$s3cr3t$w0rd kept
kept:$6$s3cr3t$w0rd:18000
netroot=iscsi:user:s3cr3t@kept::3260::iqn
netroot=iscsi:user:s3cr3t:ruser:w0rd@kept::3260::iqn
ds=nocloud;s=https://user:s3/s3cr3t@kept/path
kept --password s3cr3t
kept --api-key 's3cr3t w0rd' kept
Authorization: kept Bearer s3cr3t
{"loaded_cmdline": "kept password=\"s3cr3t w0rd\" kept", "token": "s3cr3t", "l": ["kept", "secret=s3cr3t"]}
systemd.set_credential=kept:s3cr3t
[    0.000000] Kernel command line: kept secret=s3cr3t kept
//kept/x /y cifs username=a,password=s3cr3t,w0rd 0 0
x="kept\"b pass=s3cr3t\"w0rd"
kept wpa-psk=s3cr3t pw=s3cr3t
""".strip().splitlines()
KEY = "kept\n-----BEGIN RSA PRIVATE KEY-----\ns3cr3t\nw0rd\n-----END RSA PRIVATE KEY-----\nkept\n"


@pytest.mark.parametrize("line", [*LINES, KEY, KEY.partition("-----END")[0], "s3cr3t" * LONGEST])
def test_secrets_are_masked(line: str) -> None:
    masked = mask(line)
    assert "s3cr3t" not in masked and "w0rd" not in masked and MASK in masked, masked
    plain = line.partition("s3cr3t")[0]
    assert ("kept" in masked) or ("kept" not in plain) or "kept:" in plain, masked


@pytest.mark.parametrize(
    "line", ["root=UUID=1 ro quiet console=ttyS0,115200n8", "linux /vmlinuz-6.1.0 root=/dev/sda1", "KEXEC=no"]
)  # fmt: skip
def test_what_is_no_secret_stays(line: str) -> None:
    assert mask(line) == line


@pytest.fixture(name="host")
def _host(fake: FakeHost) -> FakeHost:
    with_kernel(fake).write(
        "boot/grub/grub.cfg",
        "password_pbkdf2 root grub.pbkdf2.s3cr3t\nmenuentry a { linux /boot/vmlinuz-6.1.0-test }\n",
    )
    fake.write("boot/grub/i386-pc/normal.mod", "")
    fake.write("proc/sys/kernel/bootloader_type", "114\n")
    fake.write("etc/default/kexec-initd", "CMDLINE_APPEND=token=s3cr3t\n")
    fake.write("etc/default/kexec-initd.d/10-x", "KEXEC=no\n")
    fake.write("etc/shadow", "root:s3cr3t\n")
    return fake


def read(path: Path) -> Dict[str, str]:
    with tarfile.open(str(path), "r:xz") as archive:
        return {
            member.name.partition("/")[2]: archive.extractfile(member).read().decode()  # type: ignore[union-attr]  # all are files
            for member in archive.getmembers()
        }


def test_a_report_has_what_is_needed_and_no_secret(
    host: FakeHost, tmp_path: Path, capsys: "pytest.CaptureFixture[str]"
) -> None:
    path = tmp_path / "a.tar.xz"
    assert cli.main(["report", "--root", str(host.root), str(path)]) == 0
    said, found = capsys.readouterr().out.splitlines(), read(path)
    assert [line.split()[1] for line in said[:-1]] == list(found) and said[-1].startswith("written: ")
    assert [int(line.split()[0]) for line in said[:-1]] == [len(text) for text in found.values()]
    for name in ("versions.txt", "status.txt", "status.json", "entries.txt", "target.txt", "files/boot/grub/grub.cfg"):
        assert name in found
    assert {"files/etc/default/kexec-initd", "files/etc/default/kexec-initd.d/10-x"} <= set(found)
    assert "s3cr3t" not in "".join(found.values()) and "vmlinuz-6.1.0-test" in found["files/boot/grub/grub.cfg"]
    assert not any("shadow" in name or "vmlinuz" in name for name in found)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and os.listdir(str(tmp_path)).count("a.tar.xz") == 1
    assert [name for name in os.listdir(str(tmp_path)) if name.startswith(".")] == []


def test_it_lists_without_writing_and_overwrites_nothing(
    host: FakeHost, tmp_path: Path, capsys: "pytest.CaptureFixture[str]"
) -> None:
    path = tmp_path / "a.tar.xz"
    assert cli.main(["report", "--root", str(host.root), "--list", str(path)]) == 0
    assert "status.json" in capsys.readouterr().out and not path.exists()
    for thing in ("file", "link"):
        path.write_text("mine") if thing == "file" else path.symlink_to("nowhere")
        assert cli.main(["report", "--root", str(host.root), str(path)]) == cli.REFUSED
        assert "is there already" in capsys.readouterr().err
        with pytest.raises(Error, match="there already"):
            report.write_new(path, b"other")
        assert os.readlink(str(path)) == "nowhere" if thing == "link" else path.read_text() == "mine"
        path.unlink()
    assert [name for name in os.listdir(str(tmp_path)) if name.startswith(".kexec")] == []


def test_what_takes_too_long_or_too_much_is_left_out(
    host: FakeHost, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(report, "STEP_SECONDS", 0.05)
    monkeypatch.setattr(report, "SIZE_LIMIT", 2000)
    fifo = tmp_path / "fifo"
    os.mkfifo(str(fifo))

    def hang(words: object) -> "tuple[int, str]":
        fifo.read_text()
        raise AssertionError

    with pytest.raises(report.OutOfTime), report._limited(0.0):
        pass
    found = {item.name: item.data for item in report.collect(gather(host.root), hang)}
    assert b"no time left" in found["status.txt"] and sum(map(len, found.values())) <= 2000
    assert not any(name.startswith("files/boot/grub/grub.cfg") and len(data) > 2000 for name, data in found.items())
