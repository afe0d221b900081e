# Interactive shells.
[ -z "${PS1-}" ] && return
shopt -s checkwinsize histappend
if [ "$(id -u)" -eq 0 ]; then PS1='\u@\h:\w# '; else PS1='\u@\h:\w\$ '; fi
complete -C 'ros --complete' ros
alias ll='ls -l'
