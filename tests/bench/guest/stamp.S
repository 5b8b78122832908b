# stamp TAG: write "@TAG TICKS" and a newline to the debug console at port 0xe9, TICKS being the processor's time-stamp
# counter. It goes on counting over kexec and reset, and under QEMU's deterministic clock one tick is one nanosecond.
# No libc, so that a shutdown with nothing mounted and an initramfs can run it, and so that it costs next to nothing.
# Built with: as -o stamp.o stamp.S; ld -o stamp stamp.o

        .intel_syntax noprefix
        .globl  _start
        .text
_start:
        rdtsc
        shl     rdx, 32
        or      rax, rdx
        mov     r12, rax
        cmp     qword ptr [rsp], 2
        jb      failed
        mov     eax, 172                # iopl(3): this process may use the ports
        mov     edi, 3
        syscall
        test    rax, rax
        jnz     failed

        mov     rsi, [rsp + 16]         # argv[1]
        mov     dx, 0xe9
        mov     al, 0x40
tag:    out     dx, al
        lodsb
        test    al, al
        jnz     tag
        mov     al, 0x20
        out     dx, al

        mov     rbx, rsp                # the digits go to the stack, the last one first
        mov     rax, r12
        mov     ecx, 10
digit:  xor     edx, edx
        div     rcx
        add     edx, 0x30
        push    rdx
        test    rax, rax
        jnz     digit
        mov     dx, 0xe9
write:  pop     rax
        out     dx, al
        cmp     rsp, rbx
        jne     write
        mov     al, 0x0a
        out     dx, al
        xor     edi, edi
        jmp     leave
failed: mov     edi, 1
leave:  mov     eax, 60                 # exit
        syscall
